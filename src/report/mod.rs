//! From the numbers of a sweep to figures, a Markdown report and a terminal table.
//!
//! Everything starts from one plain [`SweepView`](crate::analysis::view::SweepView): this stage knows neither the tables that
//! the numbers come from nor the engine that made them.
//!
//! A figure takes two steps. A module of [`figures`] turns the view into a [`chart::Chart`], which
//! says what is shown; [`render`] draws any chart in the house style of [`style`].

mod canvas;
pub mod change;
pub mod chart;
pub mod experiment;
pub mod figures;
pub mod files;
mod html;
mod latex;
pub mod markdown;
mod number;
pub mod render;
pub mod scale;
pub mod splice;
pub mod style;
pub mod table;
pub mod tables;
pub mod verdict;

#[cfg(test)]
mod small_view;
