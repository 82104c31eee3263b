//! Sequences, tables and repetitions: what comes next follows from the line before.

use super::draw::Draw;
use super::task::{Exchange, Task, task};
use super::words::{COLORS, DAYS, MONTHS, PLACES, enumeration};

// The length of a sequence belongs to its template: where to stop is not what is asked.
const N_LISTED: u32 = 12;
const N_DOUBLED: u32 = 8;
const N_LINES: u32 = 6;

pub(super) const TASKS: &[&[Task]] = &[&[
    task("count_up", count_up),
    task("count_to", count_to),
    task("count_down", count_down),
    task("times_table", times_table),
    task("plus_table", plus_table),
    task("squares", squares),
    task("doubling", doubling),
    task("pattern", pattern),
    task("alternate", alternate),
    task("numbered_list", numbered_list),
    task("backwards", backwards),
    task("same_sentence", same_sentence),
    task("one_more", one_more),
    task("take_away", take_away),
    task("calendar", calendar),
]];

fn listed(numbers: impl Iterator<Item = u32>) -> String {
    let words: Vec<String> = numbers.map(|number| number.to_string()).collect();
    words.join(", ")
}

/// One line per number.
fn table(numbers: impl Iterator<Item = u32>, line: impl Fn(u32) -> String) -> String {
    let lines: Vec<String> = numbers.map(line).collect();
    lines.join("\n")
}

fn count_up(draw: &mut Draw) -> Exchange {
    let (first, step) = (draw.number(1..=60), draw.number(1..=10));
    let last = first + step * (N_LISTED - 1);
    let question = if draw.coin() {
        format!("Count up from {first} in steps of {step}. Stop at {last}.")
    } else {
        format!("Write the numbers that begin with {first} and grow by {step} up to {last}.")
    };
    Exchange::new(question, listed((0..N_LISTED).map(|i| first + i * step)))
}

fn count_to(draw: &mut Draw) -> Exchange {
    let (first, step) = (draw.number(1..=90), draw.number(2..=9));
    let last = first + step * (N_LISTED - 1);
    Exchange::new(
        format!("Count from {first} to {last} by {step}."),
        listed((0..N_LISTED).map(|i| first + i * step)),
    )
}

fn count_down(draw: &mut Draw) -> Exchange {
    let (last, step) = (draw.number(0..=60), draw.number(1..=9));
    let first = last + step * (N_LISTED - 1);
    let question = if draw.coin() {
        format!("Count down from {first} to {last} by {step}.")
    } else {
        format!("Start at {first} and take away {step} until you reach {last}.")
    };
    Exchange::new(question, listed((0..N_LISTED).map(|i| first - i * step)))
}

fn times_table(draw: &mut Draw) -> Exchange {
    let (factor, first) = (draw.number(2..=25), draw.number(1..=12));
    let last = first + N_LINES - 1;
    let question = if draw.coin() {
        format!("Write the times table of {factor} from {first} to {last}.")
    } else {
        format!("Multiply {factor} by each number from {first} to {last}.")
    };
    let answer = table(first..=last, |number| {
        format!("{number} x {factor} = {}", number * factor)
    });
    Exchange::new(question, answer)
}

fn plus_table(draw: &mut Draw) -> Exchange {
    let (addend, first) = (draw.number(2..=60), draw.number(1..=30));
    let last = first + N_LINES - 1;
    let question = format!("Add {addend} to each number from {first} to {last}.");
    let answer = table(first..=last, |number| {
        format!("{number} + {addend} = {}", number + addend)
    });
    Exchange::new(question, answer)
}

fn squares(draw: &mut Draw) -> Exchange {
    let (first, extra) = (draw.number(1..=8), draw.number(1..=60));
    let last = first + N_LINES - 1;
    let question = format!("Square each number from {first} to {last} and add {extra}.");
    let answer = table(first..=last, |number| {
        let square = number * number;
        format!(
            "{number} x {number} = {square}, plus {extra} is {}",
            square + extra
        )
    });
    Exchange::new(question, answer)
}

fn doubling(draw: &mut Draw) -> Exchange {
    let first = draw.number(3..=99);
    let last = first << (N_DOUBLED - 1);
    let question = match draw.number(0..=2) {
        0 => format!("Start with {first} and double it until you have {last}."),
        1 => format!("Write numbers from {first} to {last}. Each is the double of the one before."),
        _ => format!("Double {first} again and again. Stop at {last}."),
    };
    Exchange::new(question, listed((0..N_DOUBLED).map(|i| first << i)))
}

fn pattern(draw: &mut Draw) -> Exchange {
    let words = draw.pick_distinct::<_, 3>(&COLORS).join(", ");
    let first = draw.number(1..=40);
    let last = first + N_LINES - 1;
    Exchange::new(
        format!("Say {words} in each line and number the lines from {first} to {last}."),
        table(first..=last, |number| format!("{number}: {words}")),
    )
}

fn alternate(draw: &mut Draw) -> Exchange {
    let words = draw.nouns::<2>().map(|noun| noun.one);
    let first = draw.number(1..=60);
    let last = first + N_LISTED - 1;
    let numbered: Vec<String> = (first..=last)
        .zip(words.into_iter().cycle())
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    let [one, other] = words;
    Exchange::new(
        format!(
            "Count from {first} to {last} and say {one} and {other} in turn behind the numbers."
        ),
        numbered.join(" "),
    )
}

fn numbered_list(draw: &mut Draw) -> Exchange {
    let nouns = draw.nouns::<8>().map(|noun| noun.to_string());
    let (n, first) = (draw.number(5..=8) as usize, draw.number(1..=40));
    let question = format!(
        "Number these things from {first} on: {}.",
        nouns[..n].join(", ")
    );
    let lines: Vec<String> = (first..).zip(&nouns[..n]).map(numbered).collect();
    Exchange::new(question, lines.join("\n"))
}

fn numbered((number, thing): (u32, &String)) -> String {
    format!("{number}. {thing}")
}

fn backwards(draw: &mut Draw) -> Exchange {
    let n = draw.number(20..=23) as usize;
    let mut words = draw.nouns::<23>().map(|noun| noun.one)[..n].to_vec();
    let question = format!(
        "Write these words backwards, the last one first: {}.",
        words.join(" ")
    );
    words.reverse();
    Exchange::new(question, words.join(" "))
}

fn same_sentence(draw: &mut Draw) -> Exchange {
    let colors = draw.pick_distinct::<_, 4>(&COLORS).map(str::to_owned);
    let (thing, place) = (draw.noun().one, draw.pick(&PLACES));
    let question = format!(
        "Write the sentence \"The {thing} is at the {place}.\" with a {}.",
        enumeration(&colors.clone().map(|color| format!("{color} {thing}")))
    );
    let answer = colors.map(|color| format!("The {color} {thing} is at the {place}."));
    Exchange::new(question, answer.join("\n"))
}

fn one_more(draw: &mut Draw) -> Exchange {
    let ([p, q], thing) = (draw.people(), draw.noun());
    let first = draw.number(2..=60);
    let last = first + N_LINES;
    let question = format!(
        "{p} has {first} {thing}. {q} brings one more at a time until there are {last}. Tell it \
         step by step."
    );
    let answer = table(first + 1..=last, |number| {
        format!("{q} brings one, now {p} has {number} {thing}.")
    });
    Exchange::new(question, answer)
}

fn take_away(draw: &mut Draw) -> Exchange {
    let (p, thing, place) = (draw.person(), draw.noun(), draw.pick(&PLACES));
    let last = draw.number(2..=60);
    let first = last + N_LINES;
    let question = format!(
        "There are {first} {thing} at the {place}. {p} takes one at a time until {last} are left. \
         Tell it step by step."
    );
    let answer = table(1..=N_LINES, |taken| {
        format!("{p} takes one, {} {thing} are left.", first - taken)
    });
    Exchange::new(question, answer)
}

fn calendar(draw: &mut Draw) -> Exchange {
    let (day, month) = (draw.number(0..=6), draw.pick(&MONTHS));
    // No date is above 28, so that the month cannot end.
    let (date, n) = (draw.number(1..=19), draw.number(5..=9));
    let name = |offset: u32| DAYS[((day + offset) % 7) as usize];
    let question = format!(
        "Write {n} days with their dates, beginning with {}, {month} {date}.",
        name(0)
    );
    let answer = table(0..n, |offset| {
        format!("{}, {month} {}", name(offset), date + offset)
    });
    Exchange::new(question, answer)
}

#[cfg(test)]
mod tests {
    use crate::workload::synthetic::{Family, Problem, Split, problems};

    fn of(templates: &[&str]) -> Vec<Problem> {
        let mut drawn = problems(Family::Counting.into(), Split::Train, 21, 6_000).unwrap();
        drawn.retain(|problem| templates.contains(&problem.template()));
        assert!(drawn.len() > 200);
        drawn
    }

    fn numbers(text: &str) -> Vec<i64> {
        text.split(|c: char| !c.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect()
    }

    #[test]
    fn neighbours_of_a_count_differ_by_the_step_of_the_question() {
        for problem in of(&["count_up", "count_to", "count_down"]) {
            let listed = numbers(&problem.answer);
            let steps: Vec<i64> = listed
                .windows(2)
                .map(|pair| (pair[1] - pair[0]).abs())
                .collect();
            assert!(steps.iter().all(|step| *step == steps[0]), "{problem:?}");
            let asked = numbers(&problem.question);
            assert!(asked.contains(&steps[0]), "{problem:?}");
            assert!(asked.contains(&listed[0]), "{problem:?}");
            let last = listed[listed.len() - 1];
            assert!(asked.contains(&last), "{problem:?}");
        }
    }

    #[test]
    fn every_line_of_a_table_is_right() {
        for problem in of(&["times_table", "plus_table", "squares"]) {
            for line in problem.answer.lines() {
                let is_right = match numbers(line)[..] {
                    [a, b, value] if line.contains('x') => a * b == value,
                    [a, b, value] => a + b == value,
                    [a, b, square, extra, value] => {
                        a == b && a * b == square && square + extra == value
                    }
                    _ => false,
                };
                assert!(is_right, "{line}");
            }
        }
    }

    #[test]
    fn each_number_is_twice_the_one_before() {
        for problem in of(&["doubling"]) {
            for pair in numbers(&problem.answer).windows(2) {
                assert_eq!(pair[1], 2 * pair[0], "{problem:?}");
            }
        }
    }

    #[test]
    fn a_list_written_backwards_twice_is_the_list() {
        for problem in of(&["backwards"]) {
            let mut words: Vec<&str> = problem.answer.split(' ').collect();
            words.reverse();
            let list = format!(": {}.", words.join(" "));
            assert!(problem.question.ends_with(&list), "{problem:?}");
        }
    }

    #[test]
    fn dates_and_days_go_on_by_one() {
        for problem in of(&["calendar"]) {
            let dates = numbers(&problem.answer);
            assert!(dates.windows(2).all(|pair| pair[1] == pair[0] + 1));
            assert!(dates.iter().all(|date| (1..=28).contains(date)));
            let days: Vec<usize> = problem
                .answer
                .lines()
                .map(|line| {
                    super::DAYS
                        .iter()
                        .position(|day| line.starts_with(day))
                        .unwrap()
                })
                .collect();
            assert!(days.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 7));
        }
    }
}
