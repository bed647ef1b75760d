//! PURE. What ties the platform to which cloud, as text of one page.

use super::{Coupling, Judged, Portable, Substrate, Tie};

/// What the page does not say anything about.
pub(super) const BEYOND: &str = "Gateway API, DNS, databases, object storage, registries, identities of people, networks between nodes, \
     and what applications call by themselves";

/// Ties that are shown of each concern; JSON has all.
const MOST_TIES: usize = 40;

impl Coupling {
    /// For people, the summary first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline(), self.nodes.line()];
        for concern in &self.concerns {
            lines.push(String::new());
            lines.extend(concern.lines());
        }
        lines.push(String::new());
        lines.push(self.swap_point());
        lines.push(format!("beyond this page: {BEYOND}"));
        lines
    }

    /// `secrets trust root: Google Cloud · GPU stack: none · …`.
    pub(crate) fn headline(&self) -> String {
        self.concerns.iter().map(Judged::headline).collect::<Vec<_>>().join(" · ")
    }

    fn swap_point(&self) -> String {
        let unseen =
            if self.swap_points_seen { "" } else { "; there may be more: not all stores could be read" };
        match self.swap_points.as_slice() {
            [] if !self.swap_points_seen => "swap point: unknown, the stores could not be read".to_owned(),
            [] => "swap point: none, there is no ClusterSecretStore".to_owned(),
            [only] => format!(
                "swap point: {only}: for all that reads through it, the one object that names the provider of secrets{unseen}"
            ),
            several => format!(
                "swap points: {}: for all that reads through them, the only objects that name providers of secrets{unseen}",
                several.join(", ")
            ),
        }
    }
}

impl Judged {
    /// `storage classes: Hetzner Cloud, unknown`.
    pub(crate) fn headline(&self) -> String {
        format!("{}: {}", self.title, self.to().join(", "))
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{}   portable: {}", self.headline(), self.portable().word())];
        for tie in self.ties.iter().take(MOST_TIES) {
            lines.extend(tie.lines());
        }
        match self.ties.len().saturating_sub(MOST_TIES) {
            0 => {}
            more => lines.push(format!("  and {more} more")),
        }
        lines.extend(self.unseen.iter().map(|unseen| format!("  could not be read: {unseen}")));
        if !self.to_resolve.is_empty() {
            lines.push("  a move has to solve again:".to_owned());
            lines.extend(self.to_resolve.iter().take(MOST_TIES).map(|what| format!("    {what}")));
            match self.to_resolve.len().saturating_sub(MOST_TIES) {
                0 => {}
                more => lines.push(format!("    and {more} more")),
            }
        }
        lines
    }
}

impl Tie {
    fn lines(&self) -> Vec<String> {
        let mark = match self.portable {
            Portable::Yes => "portable",
            Portable::No => "not portable",
            Portable::Unknown => "unknown whether portable",
        };
        let mut lines = vec![format!("  {}: {}: {} ({mark})", self.evidence, self.to, self.through)];
        if !self.details.is_empty() {
            lines.push(format!("    {}", self.details.join("; ")));
        }
        lines
    }
}

impl Substrate {
    /// It informs: nothing is decided from it.
    fn line(&self) -> String {
        if !self.seen {
            return "nodes: unknown, they could not be read".to_owned();
        }
        let machines: Vec<_> = self.machines.iter().map(|(name, count)| format!("{count} {name}")).collect();
        match machines.is_empty() {
            true => "nodes: none".to_owned(),
            false => format!("nodes, by their own providerID, for information: {}", machines.join(", ")),
        }
    }
}
