//! Does the drafter's entropy tell which tokens will be rejected?

use super::{Compared, NotShown, notes};
use crate::analysis::bins::ENTROPY_EDGES;
use crate::analysis::details::DraftEntropies;
use crate::analysis::view::SweepView;
use crate::report::chart::{Axis, Bar, Chart, Layer, LegendEntry, Panel, Point, Symbol};
use crate::report::scale::Limits;
use crate::report::style::{Dash, INK, Look, Marker, PALETTE};

/// Two rows of two.
const MOST_PANELS: usize = 4;
/// Light and dark, so that the bars differ in grey as well.
const ACCEPTED: usize = 5;
const REJECTED: usize = 1;

/// Shares of the accepted and of the rejected tokens by entropy, and per bin the share that was
/// rejected: one panel for the fastest trial of each decoder entry.
pub fn chart(view: &SweepView) -> Result<Chart, NotShown> {
    let entropies = &view.details.entropies;
    if entropies.is_empty() {
        return Err(NotShown::because(
            if view.details.lacks("positions.parquet") {
                "the run folder holds no slots (positions.parquet)"
            } else {
                "no slot of the fastest trials is in positions.parquet"
            },
        ));
    }
    let of = |label: &str| entropies.iter().find(|one| one.label == label);
    let compared = Compared::of(view, MOST_PANELS, |label| {
        of(label).is_some_and(|one| one.rejected.iter().any(|&count| count > 0))
    });
    if compared.trials.is_empty() {
        return Err(NotShown::because("no draft token was ever rejected"));
    }
    let panels: Vec<Panel> = compared
        .trials
        .iter()
        .filter_map(|trial| Some(panel(of(&trial.label)?)))
        .collect();
    let swatch = |text: &str, colour: usize| LegendEntry {
        text: text.to_owned(),
        symbol: Symbol::Swatch(PALETTE[colour]),
    };
    Ok(Chart {
        title: String::new(),
        subtitle: String::new(),
        n_columns: panels.len().min(2),
        panels,
        legend: vec![
            swatch("accepted tokens: share in the bin", ACCEPTED),
            swatch("rejected tokens: share in the bin", REJECTED),
            LegendEntry {
                text: "rejected, of the tokens tested in the bin".to_owned(),
                symbol: Symbol::Joined(REJECTION),
            },
        ],
        notes: notes([
            Some("Entropy is the one that the rule reads (Shannon where it reads none). Bins with fewer than 10 tested tokens have no mark.".to_owned()),
            compared.note(),
        ]),
    })
}

const REJECTION: Look = Look {
    colour: INK,
    marker: Marker::Diamond,
    dash: Dash::Solid,
    is_hollow: false,
    has_core: false,
    marker_size: 8.0,
};

/// Tested tokens below which a share of them says nothing.
const FEWEST_TESTED: u64 = 10;

fn panel(entropies: &DraftEntropies) -> Panel {
    let total = |counts: &[u64]| counts.iter().sum::<u64>();
    let bars = |counts: &[u64], shift: f64| -> Vec<Bar> {
        let total = total(counts).max(1) as f64;
        counts
            .iter()
            .enumerate()
            .map(|(bin, &count)| Bar {
                x: bin as f64 + shift,
                height: count as f64 / total,
            })
            .collect()
    };
    let (accepted, rejected) = (&entropies.accepted, &entropies.rejected);
    let rejection = accepted.iter().zip(rejected).enumerate();
    let rejection = rejection
        .filter(|(_, (accepted, rejected))| **accepted + **rejected >= FEWEST_TESTED)
        .map(|(bin, (&accepted, &rejected))| {
            let share = rejected as f64 / (accepted + rejected) as f64;
            Point::bare(bin as f64, share)
        });
    Panel {
        title: entropies.label.clone(),
        detail: format!("{} accepted, {} rejected", total(accepted), total(rejected)),
        x: Axis::of_names("entropy of the drafter at the slot, from (nats)", names()),
        y: Axis::new("share", Limits::SHARE),
        layers: vec![
            Layer::Bars {
                bars: bars(accepted, -0.21),
                colour: PALETTE[ACCEPTED],
                half_width: 0.2,
            },
            Layer::Bars {
                bars: bars(rejected, 0.21),
                colour: PALETTE[REJECTED],
                half_width: 0.2,
            },
            Layer::Series {
                points: rejection.collect(),
                look: REJECTION,
                is_joined: true,
            },
        ],
    }
}

/// The lower edge of every bin.
fn names() -> Vec<String> {
    std::iter::once("0".to_owned())
        .chain(
            ENTROPY_EDGES
                .iter()
                .map(|edge| edge.to_string().trim_start_matches('0').to_owned()),
        )
        .collect()
}
