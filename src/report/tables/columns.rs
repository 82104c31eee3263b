//! The columns that several tables have.

use super::Column;

pub const fn text(title: &'static str, source: &'static str) -> Column {
    Column {
        title,
        source,
        is_number: false,
        is_printed: true,
    }
}

pub const fn figure(title: &'static str, source: &'static str) -> Column {
    Column {
        is_number: true,
        ..text(title, source)
    }
}

pub const fn on_screen(column: Column) -> Column {
    Column {
        is_printed: false,
        ..column
    }
}

pub const TRIAL: Column = text("trial", "trials.parquet: label");
pub const ENTRY: Column = on_screen(text("decoder entry", "trials.parquet: family"));
pub const OUTPUT: Column = on_screen(text("output", "trials.parquet: is_lossless, mode, note"));
pub const TOKENS_PER_SECOND: Column = figure("tokens/s", "trials.parquet: tokens_per_second");
pub const SPEEDUP: Column = figure(
    "speedup",
    "trials.parquet: speedup, speedup_low, speedup_high",
);
pub const GEOMETRIC: Column = on_screen(figure(
    "geometric mean",
    "trials.parquet: speedup_geometric, speedup_geometric_low, speedup_geometric_high",
));
pub const PROJECTED: Column = on_screen(figure("projected", "trials.parquet: speedup_projected"));
pub const ACCEPTANCE: Column = figure(
    "acceptance",
    "trials.parquet: acceptance_rate, acceptance_rate_low, acceptance_rate_high",
);
pub const AGREEMENT: Column = Column {
    title: "agreement",
    ..ACCEPTANCE
};
pub const TOKENS_PER_FORWARD: Column =
    figure("tokens/forward", "trials.parquet: tokens_per_forward");
pub const EXACT_MATCH: Column = figure(
    "exact match",
    "trials.parquet: exact_match, exact_match_low, exact_match_high",
);
pub const SAME_TEXT: Column = on_screen(figure(
    "same text",
    "trials.parquet: same_text, same_text_low, same_text_high",
));
