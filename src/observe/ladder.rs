//! Messages between nodes, drawn as a ladder.

use core::fmt::Write as _;

use heiiki_types::Instant;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// When it left.
    pub at: Instant,
    /// Who sent it.
    pub from: String,
    /// To whom.
    pub to: String,
    /// Its name, and what matters of it.
    pub label: String,
}

/// Draws messages in the order given, in plain ASCII. `columns` are the nodes from left to right;
/// a message from or to any other is written as a note.
pub fn ladder(columns: &[&str], arrows: &[Arrow]) -> String {
    let sheet = Sheet::new(columns, arrows);
    let mut out = String::new();
    sheet.head(&mut out);
    for arrow in arrows {
        sheet.arrow(&mut out, arrow);
    }
    out
}

/// Width of a time and what follows it, such as `12.345678  `.
const MARGIN: usize = 14;

struct Sheet<'a> {
    columns: &'a [&'a str],
    /// Where the line of each node stands.
    at: Vec<usize>,
}

impl<'a> Sheet<'a> {
    fn new(columns: &'a [&'a str], arrows: &[Arrow]) -> Self {
        let mut gaps: Vec<usize> = columns
            .windows(2)
            .map(|pair| pair.iter().map(|n| n.len()).sum::<usize>() / 2 + 3)
            .collect();
        // A way takes its longest label; where it crosses several gaps, the last one widens.
        for arrow in arrows {
            let ends = [&arrow.from, &arrow.to].map(|n| position(columns, n));
            let [Some(a), Some(b)] = ends else {
                continue;
            };
            let Some((last, others)) = gaps
                .get_mut(a.min(b)..a.max(b))
                .and_then(<[_]>::split_last_mut)
            else {
                continue;
            };
            let need = arrow.label.chars().count() + 6;
            *last = (*last).max(need.saturating_sub(others.iter().sum()));
        }
        let mut at = vec![MARGIN + columns.first().map_or(0, |n| n.len() / 2)];
        for gap in gaps {
            at.push(at.last().copied().unwrap_or(0) + gap);
        }
        Self { columns, at }
    }

    fn head(&self, out: &mut String) {
        let mut line = String::new();
        for (name, at) in self.columns.iter().zip(&self.at) {
            let start = at.saturating_sub(name.len() / 2);
            let gap = start.saturating_sub(line.chars().count());
            let _ = write!(line, "{:gap$}{name}", "");
        }
        out.push_str(&line);
        out.push('\n');
    }

    /// The lines of all nodes, as far as the last one.
    fn lines(&self) -> Vec<char> {
        let width = self.at.last().map_or(0, |l| l + 1);
        let mut line = vec![' '; width];
        for at in &self.at {
            if let Some(c) = line.get_mut(*at) {
                *c = '|';
            }
        }
        line
    }

    fn arrow(&self, out: &mut String, arrow: &Arrow) {
        let mut line = self.lines();
        let time = format!("{:>12}", arrow.at.to_string());
        place(&mut line, 0, &time);
        let ends = [&arrow.from, &arrow.to].map(|n| self.at.get(position(self.columns, n)?));
        let text = match ends {
            [Some(from), Some(to)] if from < to => {
                draw(&mut line, *from, *to, &arrow.label);
                place(&mut line, to - 1, ">");
                String::new()
            }
            [Some(from), Some(to)] if from > to => {
                draw(&mut line, *to, *from, &arrow.label);
                place(&mut line, to + 1, "<");
                String::new()
            }
            [Some(at), Some(_)] => {
                place(&mut line, *at, "*");
                format!("  {}: {}", arrow.from, arrow.label)
            }
            _ => format!("  {} to {}: {}", arrow.from, arrow.to, arrow.label),
        };
        let line: String = line.into_iter().collect();
        out.push_str(line.trim_end());
        out.push_str(&text);
        out.push('\n');
    }
}

fn position(columns: &[&str], name: &str) -> Option<usize> {
    columns.iter().position(|c| *c == name)
}

/// Fills the way between two node lines with dashes, the label in its middle.
fn draw(line: &mut [char], left: usize, right: usize, label: &str) {
    let way = right.saturating_sub(left + 1);
    if let Some(way) = line.get_mut(left + 1..right) {
        way.iter_mut().filter(|c| **c == ' ').for_each(|c| *c = '-');
    }
    let start = left + 1 + way.saturating_sub(label.chars().count()) / 2;
    place(line, start, label);
}

fn place(line: &mut [char], at: usize, text: &str) {
    for (cell, c) in line.iter_mut().skip(at).zip(text.chars()) {
        *cell = c;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(at: u64, from: &str, to: &str, label: &str) -> Arrow {
        let (from, to, label) = (from.into(), to.into(), label.into());
        Arrow {
            at: Instant::from_micros(at),
            from,
            to,
            label,
        }
    }

    #[test]
    fn an_attach() {
        let arrows = [
            arrow(1_000, "UE", "MME", "ATTACH REQUEST"),
            arrow(2_500, "MME", "HSS", "AIR"),
            arrow(4_000, "HSS", "MME", "AIA"),
            arrow(4_000, "MME", "MME", "vector taken"),
            arrow(12_345_678, "PGW", "MME", "Create Session Response"),
            arrow(12_345_678, "DNS", "UE", "nobody"),
        ];
        let got = ladder(&["UE", "MME", "HSS", "PGW"], &arrows);
        let want = "              \
UE                  MME      HSS                 PGW
    0.001000   |--ATTACH REQUEST-->|        |                   |
    0.002500   |                   |--AIR-->|                   |
    0.004000   |                   |<-AIA---|                   |
    0.004000   |                   *        |                   |  MME: vector taken
   12.345678   |                   |<-Create Session Response---|
   12.345678   |                   |        |                   |  DNS to UE: nobody
";
        assert_eq!(got, want);
    }
}
