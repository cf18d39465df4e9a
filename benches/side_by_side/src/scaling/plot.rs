//! One picture: cost against number, both on logarithmic axes.

use plotters::prelude::*;

use super::{Point, Study};

const COLOURS: [RGBColor; 3] = [RGBColor(31, 119, 180), RGBColor(214, 39, 40), RGBColor(44, 140, 60)];

pub fn draw(path: &str, study: &Study, lines: &[Vec<Point>]) -> Result<(), Box<dyn std::error::Error>> {
    let all = || lines.iter().flatten();
    let largest = all().map(|point| point.0).max().unwrap_or(1) as f64;
    let low = all().map(|point| point.2).fold(f64::INFINITY, f64::min);
    let high = all().map(|point| point.3).fold(f64::NEG_INFINITY, f64::max);
    if !low.is_finite() || low <= 0.0 {
        return Err("there is nothing to draw".into());
    }
    let area = SVGBackend::new(path, (560, 320)).into_drawing_area();
    area.fill(&WHITE)?;
    // A whole power of ten below and above, and two of them at least: flat is to look flat.
    let (floor, roof) = (10_f64.powf(low.log10().floor()), 10_f64.powf(high.log10().ceil()));
    let mut chart = ChartBuilder::on(&area)
        .caption(study.title, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(38)
        .y_label_area_size(58)
        .build_cartesian_2d(
            (1.0..largest * 1.05).log_scale().base(2.0),
            (floor..roof.max(floor * 100.0)).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc(study.across)
        .y_desc(study.up)
        .x_label_formatter(&|number| format!("{number:.0}"))
        .y_label_formatter(&|cost| if *cost < 1.0 { format!("{cost}") } else { format!("{cost:.0}") })
        .max_light_lines(0)
        .bold_line_style(BLACK.mix(0.15))
        .label_style(("sans-serif", 12))
        .draw()?;
    for ((series, points), colour) in study.series.iter().zip(lines).zip(COLOURS.into_iter().cycle()) {
        let line = points.iter().map(|(number, median, ..)| (*number as f64, *median));
        chart
            .draw_series(LineSeries::new(line.clone(), colour.stroke_width(2)))?
            .label(series.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        chart.draw_series(line.map(|place| Circle::new(place, 3, colour.filled())))?;
        // From the least to the most of all runs.
        let spread = |(number, _, min, max): &Point| {
            PathElement::new([(*number as f64, *min), (*number as f64, *max)], colour.stroke_width(1))
        };
        chart.draw_series(points.iter().map(spread))?;
    }
    if study.series.len() > 1 {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.2))
            .label_font(("sans-serif", 12))
            .draw()?;
    }
    area.present()?;
    Ok(())
}
