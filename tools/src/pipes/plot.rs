//! The plot: how long an item takes, by its size.

use flatmk_pipes::{Channel, Placement};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::summary::{Measured, Report};

/// A plot that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the plot cannot be drawn: {0}")]
pub struct PlotError(String);

impl PlotError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

const SIZE: (u32, u32) = (1100, 520);

/// What has a line: the channel, whether in batches, and how it is drawn.
const LINES: [(Channel, bool, RGBColor); 4] = [
    (Channel::UnixPipe, false, RGBColor(178, 34, 34)),
    (Channel::UnixPipe, true, RGBColor(230, 145, 110)),
    (Channel::Ring, false, RGBColor(20, 70, 150)),
    (Channel::Ring, true, RGBColor(110, 165, 220)),
];

/// Draws a picture in the format SVG: one panel for one core, and one for two if there are two.
///
/// # Errors
///
/// [`PlotError`] if the library for plots refuses.
pub fn plot(report: &Report) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(PlotError::new)?;
        let panels: &[Placement] = match report.limits.between_cores {
            Some(_) => &[Placement::OneCore, Placement::TwoCores],
            None => &[Placement::OneCore],
        };
        for (area, &placement) in area.split_evenly((1, panels.len())).iter().zip(panels) {
            panel(area, report, placement)?;
        }
        area.present().map_err(PlotError::new)?;
    }
    Ok(text)
}

fn panel(area: &DrawingArea<SVGBackend<'_>, Shift>, report: &Report, placement: Placement) -> Result<(), PlotError> {
    let title = match placement {
        Placement::OneCore => "both processes on one core",
        Placement::TwoCores => "each process on a core of its own",
    };
    let shown = |measured: &&Measured| {
        measured.contestant.placement == placement
            && LINES.iter().any(|(channel, ..)| *channel == measured.contestant.channel)
    };
    let all: Vec<&Measured> = report.rows.iter().flat_map(|row| [&row.ours, &row.theirs]).filter(shown).collect();
    let least = all.iter().map(|measured| measured.quartiles.first).fold(f64::INFINITY, f64::min);
    let most = all.iter().map(|measured| measured.quartiles.third).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(58)
        .build_cartesian_2d((6.0..90_000.0).log_scale(), (least / 2.0..most * 2.0).log_scale())
        .map_err(PlotError::new)?;
    chart
        .configure_mesh()
        .x_desc("bytes in an item")
        .y_desc("ns for an item")
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|bytes| format!("{bytes:.0}"))
        .y_label_formatter(&|ns| ns.to_string())
        .draw()
        .map_err(PlotError::new)?;
    for (channel, in_batches, color) in LINES {
        let mut points: Vec<&&Measured> = all
            .iter()
            .filter(|Measured { contestant, .. }| contestant.channel == channel && (contestant.batch > 1) == in_batches)
            .collect();
        points.sort_by_key(|measured| measured.contestant.item_bytes);
        points.dedup_by_key(|measured| measured.contestant.item_bytes);
        let at = |measured: &Measured, ns: f64| (measured.contestant.item_bytes as f64, ns);
        let line = LineSeries::new(
            points.iter().map(|measured| at(measured, measured.quartiles.median)),
            color.stroke_width(2),
        );
        let name = format!("{}, {}", channel.name(), if in_batches { "in batches" } else { "one by one" });
        chart
            .draw_series(line)
            .map_err(PlotError::new)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        // The quartiles: half of the rounds lie between.
        let spread = points.iter().map(|measured| {
            let (low, high) = (measured.quartiles.first, measured.quartiles.third);
            ErrorBar::new_vertical(at(measured, low).0, low, measured.quartiles.median, high, color.filled(), 8)
        });
        chart.draw_series(spread).map_err(PlotError::new)?;
    }
    let labels = chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .border_style(BLACK)
        .background_style(WHITE)
        .draw();
    labels.map_err(PlotError::new)
}
