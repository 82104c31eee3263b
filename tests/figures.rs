//! Figures from a made-up sweep of realistic size, and from sweeps with hardly anything in them.

use std::path::Path;

use wedlm_bench::analysis::details::Details;
use wedlm_bench::analysis::view::{SweepView, TrialKind, TrialView};
use wedlm_bench::report::chart::{Chart, Layer, Symbol};
use wedlm_bench::report::figures::{FigureKind, draw_all};
use wedlm_bench::report::render;
use wedlm_bench::stats::interval::{Confidence, Interval};

#[path = "figures/made_up.rs"]
mod made_up;

/// Width and height from the header of a PNG file.
fn png_size(path: &Path) -> (u32, u32) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(bytes[..8], *b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// The SVG of every figure that the sweep gives; drawing must not fail.
fn every_svg(view: &SweepView) -> Vec<(FigureKind, String)> {
    FigureKind::ALL
        .into_iter()
        .filter_map(|kind| Some((kind, kind.chart(view).ok()?)))
        .map(|(kind, chart)| (kind, render::svg(&chart).unwrap()))
        .collect()
}

fn chart(kind: FigureKind, view: &SweepView) -> Chart {
    kind.chart(view).unwrap()
}

fn n_points(chart: &Chart) -> usize {
    let layers = chart.panels.iter().flat_map(|panel| &panel.layers);
    layers
        .map(|layer| match layer {
            Layer::Series { points, .. } => points.len(),
            Layer::Bars { .. }
            | Layer::Line { .. }
            | Layer::Rule { .. }
            | Layer::Ring { .. }
            | Layer::Cells(_) => 0,
        })
        .sum()
}

/// Applies `change` to the numbers of every trial that ran.
fn with_measures(
    mut view: SweepView,
    change: impl Fn(&mut wedlm_bench::analysis::view::Measures),
) -> SweepView {
    for trial in view.trials.iter_mut().chain(&mut view.baseline) {
        if let Ok(measures) = &mut trial.result {
            change(measures);
        }
    }
    view
}

fn keep(mut view: SweepView, is_kept: impl Fn(&TrialView) -> bool) -> SweepView {
    view.trials.retain(is_kept);
    view
}

#[test]
fn a_full_sweep_gives_every_figure_as_svg_as_pdf_and_as_png_of_twice_the_page_size() {
    let folder = tempfile::tempdir().unwrap();
    let figures = draw_all(&made_up::sweep(), folder.path()).unwrap();
    assert_eq!(figures.len(), 11);
    for figure in &figures {
        let files = figure.outcome.as_ref().unwrap();
        assert_eq!(png_size(&files.png), (1600, 1000));
        let svg = std::fs::read_to_string(&files.svg).unwrap();
        assert!(svg.starts_with(r#"<svg width="1600" height="1000""#));
        assert!(svg.contains(figure.kind.title()));
        assert!(svg.contains("wedlm-bench 0.1.0 (git 1a2b3c4)"));
        let pdf = std::fs::read(&files.pdf).unwrap();
        assert!(pdf.starts_with(b"%PDF-1.4\n") && pdf.ends_with(b"%%EOF\n"));
    }
    let n_files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(n_files, 33, "no temporary file is left");
}

#[test]
fn the_same_sweep_gives_the_same_bytes() {
    let one = every_svg(&made_up::sweep());
    assert_eq!(one, every_svg(&made_up::sweep()));
}

#[test]
fn threshold_and_acceptance_has_a_line_per_entropy_type() {
    let chart = chart(FigureKind::ThresholdAcceptance, &made_up::sweep());
    let names: Vec<&str> = chart
        .legend
        .iter()
        .map(|entry| entry.text.as_str())
        .collect();
    assert_eq!(names, ["shannon", "renyi", "topk"]);
    assert_eq!(n_points(&chart), 15);
    assert!(chart.panels[0].x.label.contains("nats"));
}

#[test]
fn measured_and_projected_speedups_have_their_own_panels_and_markers() {
    let chart = chart(FigureKind::AcceptanceSpeedup, &made_up::sweep());
    assert_eq!(chart.panels.len(), 2);
    assert!(chart.panels[1].title.contains("projected for h100-8b"));
    for (panel, hollow) in chart.panels.iter().zip([false, true]) {
        let looks = panel.layers.iter().filter_map(|layer| match layer {
            Layer::Series { look, .. } => Some(look),
            Layer::Bars { .. }
            | Layer::Line { .. }
            | Layer::Rule { .. }
            | Layer::Ring { .. }
            | Layer::Cells(_) => None,
        });
        assert!(looks.into_iter().all(|look| look.is_hollow == hollow));
        let has_ring = panel
            .layers
            .iter()
            .any(|layer| matches!(layer, Layer::Ring { .. }));
        assert!(has_ring, "the best fixed k is marked");
    }
    // 44 trials, one of which failed.
    assert_eq!(n_points(&chart), 2 * 43);
    assert!(chart.notes[0].contains("1 trial without acceptance or speedup is not shown."));
}

#[test]
fn without_a_profile_the_measured_panel_stands_alone() {
    let view = with_measures(made_up::sweep(), |measures| {
        measures.speedup_projected = None
    });
    assert_eq!(chart(FigureKind::AcceptanceSpeedup, &view).panels.len(), 1);
}

#[test]
fn draft_length_shows_the_fastest_trial_of_each_entry_with_fixed_k_first() {
    let chart = chart(FigureKind::DraftLength, &made_up::sweep());
    assert_eq!(chart.panels.len(), 6);
    assert!(chart.panels[0].title.starts_with("fixed-k"));
    assert_eq!(chart.panels[0].detail, "max_draft_len=4");
    for panel in &chart.panels {
        let heights: f64 = panel
            .layers
            .iter()
            .filter_map(|layer| match layer {
                Layer::Bars { bars, .. } => Some(bars.iter().map(|bar| bar.height).sum::<f64>()),
                Layer::Series { .. }
                | Layer::Line { .. }
                | Layer::Rule { .. }
                | Layer::Ring { .. }
                | Layer::Cells(_) => None,
            })
            .sum();
        assert!((heights - 1.0).abs() < 1e-9, "the shares add up to 1");
    }
}

#[test]
fn the_window_figure_asks_four_questions() {
    let chart = chart(FigureKind::Window, &made_up::sweep());
    assert_eq!(chart.panels.len(), 4);
    // Two decoders with six thresholds in each panel; the trials without one are level lines.
    assert_eq!(n_points(&chart), 4 * 12);
    assert!(
        chart
            .legend
            .iter()
            .any(|entry| entry.text.contains("no threshold"))
    );
}

#[test]
fn the_cost_figure_has_a_curve_per_model_and_both_ideals() {
    let chart = chart(FigureKind::Cost, &made_up::sweep());
    let is_curve = |symbol: Symbol| matches!(symbol, Symbol::Joined(_));
    let n_curves = chart
        .legend
        .iter()
        .filter(|entry| is_curve(entry.symbol))
        .count();
    assert_eq!((n_curves, chart.legend.len()), (3, 5));
}

#[test]
fn an_empty_sweep_gives_no_file_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    for figure in draw_all(&SweepView::default(), folder.path()).unwrap() {
        let reason = figure.outcome.unwrap_err().to_string();
        assert!(reason.len() > 20, "{reason}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_family_without_trials_leaves_out_its_figures_only() {
    let only_window = keep(made_up::sweep(), |trial| trial.kind == TrialKind::Window);
    let kinds: Vec<FigureKind> = every_svg(&only_window)
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    assert_eq!(
        kinds,
        [
            FigureKind::AcceptanceSpeedup,
            FigureKind::Category,
            FigureKind::Window,
            FigureKind::Latency,
            FigureKind::Replay,
            FigureKind::Cost
        ]
    );
    let no_window = keep(made_up::sweep(), |trial| trial.kind != TrialKind::Window);
    assert!(FigureKind::Window.chart(&no_window).is_err());
    assert_eq!(every_svg(&no_window).len(), 10);
}

#[test]
fn one_trial_is_enough_for_a_figure() {
    let full = made_up::sweep();
    for index in 0..full.trials.len() {
        let mut view = full.clone();
        view.trials = vec![view.trials.swap_remove(index)];
        for curve in &mut view.cost_curves {
            curve.points.truncate(1);
        }
        every_svg(&view);
    }
}

#[test]
fn trials_that_are_all_equal_are_drawn_on_axes_with_a_width() {
    let view = with_measures(made_up::sweep(), |measures| {
        measures.speedup = Some(Interval::exact(1.0));
        measures.speedup_projected = Some(1.0);
        measures.acceptance_rate = Some(Interval::exact(1.0));
        measures.filled_per_forward = Some(Interval::exact(0.0));
        measures.exact_match = Some(Interval::exact(0.0));
    });
    assert_eq!(every_svg(&view).len(), 11);
}

#[test]
fn one_prompt_without_any_interval_is_drawn_without_error_bars() {
    let view = with_measures(made_up::sweep(), |measures| {
        let unbounded = |interval: &mut Option<Interval>| {
            if let Some(known) = interval {
                *known = Interval::unbounded(known.estimate, Confidence::P95);
            }
        };
        unbounded(&mut measures.speedup);
        unbounded(&mut measures.acceptance_rate);
        unbounded(&mut measures.filled_per_forward);
        unbounded(&mut measures.exact_match);
    });
    for (kind, svg) in every_svg(&view) {
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{kind:?}");
        // Those of the others do not come from the numbers of the trials.
        let has_bars = matches!(
            kind,
            FigureKind::Cost | FigureKind::Category | FigureKind::Hazard | FigureKind::Replay
        );
        assert_eq!(svg.contains("Error bars"), has_bars, "{kind:?}");
    }
}

#[test]
fn numbers_that_are_not_finite_or_far_too_large_leave_their_place_empty() {
    for hopeless in [f64::NAN, f64::INFINITY, 1e300] {
        let mut view = with_measures(made_up::sweep(), |measures| {
            measures.speedup = Some(Interval::exact(hopeless));
            measures.speedup_projected = Some(hopeless);
            measures.acceptance_rate = Some(Interval::exact(hopeless));
            measures.filled_per_forward = Some(Interval::exact(hopeless));
            measures.exact_match = Some(Interval::exact(hopeless));
        });
        view.details = Details::default();
        view.replay = None;
        for curve in &mut view.cost_curves {
            for point in &mut curve.points {
                point.ratio = Interval::exact(hopeless);
            }
        }
        // Draft lengths are counts and stay.
        let kinds: Vec<FigureKind> = every_svg(&view).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [FigureKind::DraftLength]);
    }
}

#[test]
fn missing_acceptance_rates_and_empty_histograms_leave_out_their_figures() {
    let view = with_measures(made_up::sweep(), |measures| {
        measures.acceptance_rate = None;
        measures.draft_len_histogram = vec![12, 0, 0];
    });
    let kinds: Vec<FigureKind> = every_svg(&view).into_iter().map(|(kind, _)| kind).collect();
    let expected = FigureKind::ALL.into_iter().filter(|kind| {
        !matches!(
            kind,
            FigureKind::ThresholdAcceptance
                | FigureKind::AcceptanceSpeedup
                | FigureKind::DraftLength
        )
    });
    assert_eq!(kinds, expected.collect::<Vec<_>>());
}

#[test]
fn a_sweep_whose_trials_all_failed_gives_no_figure_of_trials() {
    let mut view = made_up::sweep();
    for trial in view.trials.iter_mut().chain(&mut view.baseline) {
        trial.result = Err("out of memory".to_owned());
    }
    view.details = Details::default();
    view.replay = None;
    let kinds: Vec<FigureKind> = every_svg(&view).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [FigureKind::Cost]);
}

#[test]
fn labels_may_be_long_or_hold_markup_and_control_characters() {
    let mut view = made_up::sweep();
    view.name = "<&>\"'\u{0}\u{7}".repeat(200);
    for trial in &mut view.trials {
        trial.family = format!("<{}>&\n{}", trial.family, "long".repeat(100));
        trial.axes.push(("x".repeat(300), "\t</svg>".to_owned()));
    }
    for (_, svg) in every_svg(&view) {
        assert_eq!(svg.matches("</svg>").count(), 1);
        assert!(!svg.contains(['\u{0}', '\u{7}']));
    }
}

#[test]
fn every_text_starts_within_the_figure() {
    let attribute = |tag: &str, name: &str| -> f64 {
        let start = tag.find(name).unwrap() + name.len();
        tag[start..].split('"').next().unwrap().parse().unwrap()
    };
    for (kind, svg) in every_svg(&made_up::sweep()) {
        let texts: Vec<&str> = svg.split("<text ").skip(1).collect();
        assert!(texts.len() > 10, "{kind:?}");
        for tag in texts {
            let (x, y) = (attribute(tag, "x=\""), attribute(tag, " y=\""));
            assert!(
                (0.0..=3200.0).contains(&x) && (0.0..=2000.0).contains(&y),
                "{kind:?}: {tag}"
            );
        }
    }
}

#[test]
fn a_folder_that_does_not_exist_is_an_error_with_its_path() {
    let error = draw_all(&made_up::sweep(), Path::new("no/such/folder")).unwrap_err();
    assert!(error.to_string().contains("no/such/folder"), "{error}");
}
