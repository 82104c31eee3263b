//! Reports, and their extract in a fixed form: who, where, when, how much, and the most.

use super::draw::Draw;
use super::task::{Exchange, Task, lines, task};
use super::vocabulary::Person;
use super::words::{DAYS, MONTHS, PLACES, enumeration};

pub(super) const TASKS: &[&[Task]] = &[&[
    task("sale", sale),
    task("harvest", harvest),
    task("race", race),
    task("donation", donation),
    task("reading", reading),
    task("tree_planting", tree_planting),
]];

/// What the reports of one kind speak of.
struct Kind {
    event: &'static str,
    /// What a person did with an amount: one of these before it, the unit behind it.
    deeds: [&'static str; 2],
    unit: &'static str,
}

/// Sentences that an extract leaves out.
const FILLERS: [&str; 12] = [
    "The weather was cold and gray.",
    "It rained in the morning.",
    "Many people came to look.",
    "The children had a good time.",
    "There was bread and cheese for all.",
    "A small dog ran around.",
    "The mayor was late again.",
    "Some people came by bus.",
    "A man with a red hat sang a song.",
    "The sun came out in the end.",
    "Everybody was happy.",
    "The music was loud.",
];

fn report(draw: &mut Draw, kind: &Kind) -> Exchange {
    let people: [Person; 3] = draw.people();
    let n_people = draw.number(2..=3) as usize;
    let people = &people[..n_people];
    let amounts = &draw.pick_distinct::<_, 3>(&(3..=98).collect::<Vec<u32>>())[..n_people];
    let Kind { event, unit, .. } = *kind;
    let (place, day, month) = (draw.pick(&PLACES), draw.pick(&DAYS), draw.pick(&MONTHS));
    let date = draw.number(1..=28);

    let mut told = if draw.coin() {
        vec![format!(
            "On {day}, {month} {date}, there was a {event} at the {place}."
        )]
    } else {
        vec![
            format!("There was a {event} at the {place}."),
            format!("The day was {day}, {month} {date}."),
        ]
    };
    told.extend(
        people.iter().zip(amounts).map(|(person, amount)| {
            format!("{person} {} {amount} {unit}.", draw.pick(&kind.deeds))
        }),
    );
    let n_fillers = draw.number(2..=3) as usize;
    told.extend(
        draw.pick_some(&FILLERS, n_fillers)
            .into_iter()
            .map(str::to_owned),
    );
    let told = draw.shuffled(told);

    // The extract names people in the order in which the report does.
    let mut order: Vec<(Person, u32)> = people
        .iter()
        .copied()
        .zip(amounts.iter().copied())
        .collect();
    order.sort_by_key(|(person, _)| {
        let start = format!("{person} ");
        told.iter()
            .position(|sentence| sentence.starts_with(&start))
    });
    let who = enumeration(
        &order
            .iter()
            .map(|(person, _)| person.to_string())
            .collect::<Vec<_>>(),
    );
    let how_much = enumeration(
        &order
            .iter()
            .map(|(_, amount)| amount.to_string())
            .collect::<Vec<_>>(),
    );
    let most = amounts.iter().max().expect("two or three people");
    let answer = lines!(
        "What: {event}",
        "Who: {who}",
        "Where: {place}",
        "When: {day}, {month} {date}",
        "How much: {how_much} {unit}",
        "Most: {most} {unit}",
    );
    Exchange::new(format!("Summarize the report. {}", told.join(" ")), answer)
}

fn sale(draw: &mut Draw) -> Exchange {
    report(
        draw,
        &Kind {
            event: "sale",
            deeds: ["sold old books for", "sold toys for"],
            unit: "dollars",
        },
    )
}

fn harvest(draw: &mut Draw) -> Exchange {
    report(
        draw,
        &Kind {
            event: "harvest",
            deeds: ["picked", "carried home"],
            unit: "apples",
        },
    )
}

fn race(draw: &mut Draw) -> Exchange {
    report(
        draw,
        &Kind {
            event: "race",
            deeds: ["ran", "came as far as"],
            unit: "miles",
        },
    )
}

fn donation(draw: &mut Draw) -> Exchange {
    report(
        draw,
        &Kind {
            event: "collection",
            deeds: ["gave", "brought a box with"],
            unit: "coins",
        },
    )
}

fn reading(draw: &mut Draw) -> Exchange {
    report(
        draw,
        &Kind {
            event: "reading",
            deeds: ["read", "got through"],
            unit: "pages",
        },
    )
}

fn tree_planting(draw: &mut Draw) -> Exchange {
    report(
        draw,
        &Kind {
            event: "planting",
            deeds: ["planted", "put in"],
            unit: "trees",
        },
    )
}

#[cfg(test)]
mod tests {
    use crate::workload::synthetic::{Family, Split, problems};

    /// The value of `field: …`.
    fn field<'a>(answer: &'a str, name: &str) -> &'a str {
        let prefix = format!("{name}: ");
        let mut lines = answer.lines();
        lines.find_map(|line| line.strip_prefix(&prefix)).unwrap()
    }

    #[test]
    fn the_extract_says_what_the_report_says_in_its_order() {
        for problem in problems(Family::Summary.into(), Split::Train, 51, 4_000).unwrap() {
            let (question, answer) = (&problem.question, &problem.answer);
            let sentences: Vec<&str> = question.trim_end_matches('.').split(". ").collect();
            assert!((6..=9).contains(&sentences.len()), "{question}");
            assert!(
                question.contains(field(answer, "When")),
                "{question}\n{answer}"
            );
            let place = format!(" at the {}.", field(answer, "Where"));
            assert!(question.contains(&place), "{question}\n{answer}");
            let event = format!(" a {} at", field(answer, "What"));
            assert!(question.contains(&event), "{question}\n{answer}");

            let people = field(answer, "Who").replace(" and ", ", ");
            let (amounts, unit) = field(answer, "How much").rsplit_once(' ').unwrap();
            let amounts = amounts.replace(" and ", ", ");
            let told: Vec<(&str, &str)> = sentences
                .iter()
                .filter_map(|sentence| {
                    let deed = sentence.strip_suffix(&format!(" {unit}"))?;
                    let (name, _) = deed.split_once(' ')?;
                    let (_, amount) = deed.rsplit_once(' ')?;
                    Some((name, amount))
                })
                .collect();
            let expected: Vec<(&str, &str)> = people.split(", ").zip(amounts.split(", ")).collect();
            assert_eq!(told, expected, "{question}");

            let amount = |of: &(&str, &str)| -> u32 { of.1.parse().unwrap() };
            let most = told.iter().map(amount).max().unwrap();
            assert_eq!(field(answer, "Most"), format!("{most} {unit}"));
        }
    }
}
