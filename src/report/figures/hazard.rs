//! Where in a draft does it go wrong?

use super::{Compared, NotShown, error_bar_note, notes, place_of};
use crate::analysis::details::Hazard;
use crate::analysis::view::SweepView;
use crate::report::chart::{Axis, Chart, Layer, LegendEntry, Panel, Point, Symbol};
use crate::report::scale::Limits;
use crate::report::style::Look;

/// More curves hide each other.
const MOST_CURVES: usize = 4;
/// Rounds below which a share of them says nothing; the right panel shows them still.
const FEWEST_REACHED: u64 = 10;
/// Distance of neighbouring curves, so that error bars stand side by side.
const DODGE: f64 = 0.14;

/// Left: share rejected of the slots that the verifier reached. Right: how many it reached.
pub fn chart(view: &SweepView) -> Result<Chart, NotShown> {
    let hazards = &view.details.hazards;
    if hazards.is_empty() {
        return Err(NotShown::because(if view.details.lacks("rounds.parquet") {
            "the run folder holds no rounds (rounds.parquet)"
        } else {
            "no round of the fastest trials is in rounds.parquet"
        }));
    }
    let of = |label: &str| hazards.iter().find(|one| one.label == label);
    let compared = Compared::of(view, MOST_CURVES, |label| {
        of(label).is_some_and(|hazard| hazard.slots.iter().any(|slot| slot.rejected > 0))
    });
    if compared.trials.is_empty() {
        return Err(NotShown::because("no draft was ever rejected"));
    }
    let curves: Vec<(&Hazard, Look)> = compared
        .trials
        .iter()
        .filter_map(|trial| {
            let look = Look::of_series(place_of(view, &trial.family));
            Some((of(&trial.label)?, look))
        })
        .collect();
    let middle = curves.len().saturating_sub(1) as f64 / 2.0;
    let mut shares = Vec::new();
    let mut exposures = Vec::new();
    for (number, (hazard, look)) in curves.iter().enumerate() {
        let shift = DODGE * (number as f64 - middle);
        let known = hazard.slots.iter().enumerate();
        let series = |points| Layer::Series {
            points,
            look: *look,
            is_joined: true,
        };
        shares.push(series(
            known
                .clone()
                .filter(|(_, slot)| slot.reached >= FEWEST_REACHED)
                .map(|(place, slot)| Point::with_y_interval(place as f64 + 1.0 + shift, slot.share))
                .collect(),
        ));
        exposures.push(series(
            known
                .map(|(place, slot)| Point::bare(place as f64 + 1.0, slot.reached as f64))
                .collect(),
        ));
    }
    let slots = || {
        Axis::new(
            "slot of the draft (1 is the first)",
            Limits {
                include: Some(1.0),
                floor: Some(0.0),
                is_whole: true,
                ..Limits::NONE
            },
        )
    };
    let panel = |title: &str, y: Axis, layers| Panel {
        title: title.to_owned(),
        detail: String::new(),
        x: slots(),
        y,
        layers,
    };
    let intervals = hazards
        .iter()
        .flat_map(|one| &one.slots)
        .map(|slot| slot.share);
    let few = format!("Slots that fewer than {FEWEST_REACHED} rounds reached have no share.");
    Ok(Chart {
        title: String::new(),
        subtitle: String::new(),
        n_columns: 2,
        panels: vec![
            panel(
                "rejected, given that the slot was reached",
                Axis::new("share of rounds", Limits::SHARE),
                shares,
            ),
            panel(
                "rounds that reached the slot (n)",
                Axis::new(
                    "rounds",
                    Limits {
                        include: Some(0.0),
                        floor: Some(0.0),
                        is_whole: true,
                        ..Limits::NONE
                    },
                ),
                exposures,
            ),
        ],
        legend: curves
            .iter()
            .map(|(hazard, look)| LegendEntry {
                text: hazard.label.clone(),
                symbol: Symbol::Joined(*look),
            })
            .collect(),
        notes: notes([error_bar_note(intervals), Some(few), compared.note()]),
    })
}
