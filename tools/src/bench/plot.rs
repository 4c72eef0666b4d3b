//! Pictures of rows, in the format SVG: one line a row, one mark a series, on a logarithmic axis.
//!
//! They are narrow, so that their letters are legible on a telephone, and have a light ground of their own, so that they are in dark themes.

use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::Record;
use super::baselines::{Baselines, Figure};

/// A picture that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the plot cannot be drawn: {0}")]
pub struct PlotError(String);

impl PlotError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// A picture, before it is drawn.
#[derive(Debug)]
pub struct Plot {
    /// What the axis counts.
    pub unit: String,
    /// The names of the series; at most four.
    pub series: Vec<String>,
    /// For each row its name and a figure of each series that has one.
    pub rows: Vec<(String, Vec<Option<u64>>)>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<LogCoord<f64>, RangedCoordf64>>;

const WIDTH: u32 = 480;
const ROW_HEIGHT: u32 = 20;
const LEGEND_HEIGHT: u32 = 20;
const AXIS_HEIGHT: u32 = 52;
const NAMES_WIDTH: i32 = 188;
const MARGIN: i32 = 10;
const FONT: (&str, i32) = ("sans-serif", 13);
const COLORS: [RGBColor; 4] =
    [RGBColor(20, 70, 150), RGBColor(178, 34, 34), RGBColor(60, 120, 60), RGBColor(120, 60, 140)];

impl Plot {
    /// Our rows in a unit beside the figures of others in the same: without identifiers of address spaces or, where we have only those, with them.
    #[must_use]
    pub fn beside_others(records: &[Record], unit: &str, baselines: &Baselines) -> Self {
        let ours = || records.iter().filter(|record| record.unit == unit);
        let pcid = ours().all(|record| record.pcid);
        let sets: Vec<_> = baselines.sets.iter().filter(|set| set.unit == unit).collect();
        let rows = ours().filter(|record| record.pcid == pcid).filter_map(|record| {
            let of = |figure: &Figure| if pcid { figure.on } else { Some(figure.off) };
            let others: Vec<_> = sets.iter().map(|set| set.figure(&record.id).and_then(of)).collect();
            let is_shared = others.iter().any(Option::is_some);
            is_shared.then(|| (record.id.clone(), [vec![Some(record.value)], others].concat()))
        });
        let is_one_machine = sets.iter().all(|set| sets.first().is_some_and(|first| first.machine == set.machine));
        let titles = sets.iter().map(|set| if is_one_machine { set.system.clone() } else { set.title() });
        let series = std::iter::once("FlatMk".to_owned()).chain(titles);
        Self { unit: unit.to_owned(), series: series.collect(), rows: rows.collect() }
    }

    /// Our rows in a unit, without identifiers of address spaces and with them.
    #[must_use]
    pub fn settings(records: &[Record], unit: &str) -> Self {
        let of = |id: &str, pcid| records.iter().find(|record| record.id == id && record.pcid == pcid);
        let mut ids: Vec<&str> =
            records.iter().filter(|record| record.unit == unit).map(|record| record.id.as_str()).collect();
        ids.dedup();
        let row =
            |id: &str| (id.to_owned(), [false, true].map(|pcid| of(id, pcid).map(|record| record.value)).to_vec());
        let series = ["pcid off", "pcid on"].map(str::to_owned).to_vec();
        Self { unit: unit.to_owned(), series, rows: ids.into_iter().map(row).collect() }
    }

    /// Draws it.
    ///
    /// # Errors
    ///
    /// [`PlotError`] if the library for plots refuses.
    pub fn draw(&self) -> Result<String, PlotError> {
        let (rows, series) = (self.rows.len() as u32, self.series.len() as u32);
        let size = (WIDTH, ROW_HEIGHT * rows + LEGEND_HEIGHT * series + AXIS_HEIGHT + 2 * MARGIN as u32);
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
            area.fill(&WHITE).map_err(PlotError::new)?;
            self.draw_on(&area)?;
            area.present().map_err(PlotError::new)?;
        }
        Ok(text)
    }

    fn draw_on(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let legend_height = LEGEND_HEIGHT as i32 * self.series.len() as i32;
        for (index, name) in self.series.iter().enumerate() {
            let at = (MARGIN + 6, MARGIN + LEGEND_HEIGHT as i32 * index as i32 + 8);
            area.draw(&mark(index, at)).map_err(PlotError::new)?;
            area.draw(&Text::new(name.as_str(), (at.0 + 14, at.1 - 7), FONT)).map_err(PlotError::new)?;
        }
        let all = self.rows.iter().flat_map(|(_, figures)| figures).flatten();
        let (least, most) = (all.clone().min().copied().unwrap_or(1) as f64, all.max().copied().unwrap_or(10) as f64);
        let mut chart = ChartBuilder::on(area)
            .margin(MARGIN)
            .margin_top(MARGIN + legend_height)
            .margin_left(NAMES_WIDTH)
            .margin_right(2 * MARGIN)
            .x_label_area_size(AXIS_HEIGHT)
            .build_cartesian_2d((least * 0.8..most * 1.25).log_scale(), self.rows.len() as f64..0.0)
            .map_err(PlotError::new)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .x_desc(format!("{} (logarithmic)", self.unit))
            .axis_desc_style(FONT)
            .label_style(FONT)
            .x_label_formatter(&|ticks| format!("{ticks:.0}"))
            .draw()
            .map_err(PlotError::new)?;
        self.rows.iter().enumerate().try_for_each(|(index, row)| draw_row(area, &chart, index, row, least))
    }
}

fn draw_row(
    area: &Area<'_>,
    chart: &Chart<'_, '_>,
    index: usize,
    (name, figures): &(String, Vec<Option<u64>>),
    least: f64,
) -> Result<(), PlotError> {
    let height = index as f64 + 0.5;
    let at = |ticks: f64| chart.backend_coord(&(ticks, height));
    let (_, y) = at(least);
    area.draw(&Text::new(name.as_str(), (MARGIN, y - 7), FONT)).map_err(PlotError::new)?;
    // The line guides the eye from the name.
    let (left, right) = (NAMES_WIDTH, WIDTH as i32 - 2 * MARGIN);
    area.draw(&PathElement::new([(left, y), (right, y)], RGBColor(225, 225, 225))).map_err(PlotError::new)?;
    for (series, figure) in figures.iter().enumerate() {
        if let Some(figure) = figure {
            area.draw(&mark(series, at(*figure as f64))).map_err(PlotError::new)?;
        }
    }
    Ok(())
}

/// The mark of a series, told apart by its form as well as by its colour.
fn mark<'a>(series: usize, at: (i32, i32)) -> DynElement<'a, SVGBackend<'a>, (i32, i32)> {
    let color = COLORS.get(series % COLORS.len()).copied().unwrap_or(BLACK);
    match series % COLORS.len() {
        0 => Circle::new(at, 5, color.filled()).into_dyn(),
        1 => Cross::new(at, 5, color.stroke_width(2)).into_dyn(),
        2 => TriangleMarker::new(at, 6, color.filled()).into_dyn(),
        _ => Rectangle::new([(at.0 - 4, at.1 - 4), (at.0 + 4, at.1 + 4)], color.stroke_width(2)).into_dyn(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bench, figures};

    fn beside(unit: &str, pcid: &[bool]) -> Plot {
        let text = format!("row min median max {unit}, 21 samples\ncall_same_space 133 133 140\ncopy 203 204 207\n");
        let printed = figures::read(&text).unwrap().rows;
        let records = pcid.iter().flat_map(|&pcid| bench::records(&printed, pcid, &[])).collect::<Vec<_>>();
        Plot::beside_others(&records, unit, &Baselines::read().unwrap())
    }

    #[test]
    fn each_unit_has_the_figures_of_others_in_it() {
        let row = |figures: &[Option<u64>]| vec![("call_same_space".to_owned(), figures.to_vec())];
        let instructions = beside("instructions", &[false, true]);
        assert_eq!(instructions.series, ["FlatMk", "FlatMk v0", "seL4"]);
        assert_eq!(instructions.rows, row(&[Some(133), Some(1472), Some(413)]));
        let cycles = beside("cycles", &[false]);
        assert_eq!(cycles.series, ["FlatMk", "FlatMk v0, Coffee Lake", "FlatMk v0, Skylake", "seL4, Skylake"]);
        assert_eq!(cycles.rows, row(&[Some(133), Some(1116), Some(1533), None]));
        // Who has measured with identifiers only stands beside what others have measured with them.
        assert_eq!(beside("cycles", &[true]).rows, row(&[Some(133), Some(1112), Some(1530), None]));
    }

    #[test]
    fn each_series_has_a_mark_of_its_own() {
        let beside = beside("cycles", &[false]);
        assert!(beside.series.len() <= COLORS.len());
        assert_eq!(beside.draw().unwrap().matches("#783C8C").count(), 1, "the last one is in the legend");
    }
}
