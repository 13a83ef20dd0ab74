//! Drains, limits, warnings and certificates.

use super::html::{Html, counted, grouped};
use crate::control::{CertificateStatus, DrainStatus, LimitStatus, Shortened};

/// Certificates that expire within so many days stand out.
const SOON_DAYS: i64 = 30;

pub(super) fn drains(drains: &Shortened<DrainStatus>, html: &mut Html) {
    if drains.total == 0 {
        return;
    }
    html.raw("<section aria-labelledby=\"drains\">\n<h2 id=\"drains\">Drains</h2>\n<ul class=\"drains\">\n");
    for (number, drain) in drains.first.iter().enumerate() {
        let left = counted(drain.remaining, "session");
        let of = drain.sessions.max(drain.remaining);
        html.raw("<li><p id=\"drain-")
            .text(number)
            .raw("\"><b>")
            .text(&drain.cluster)
            .raw("</b> ");
        html.text(format!("{left} of {} left", grouped(of)))
            .raw("</p><progress aria-labelledby=\"drain-");
        html.text(number)
            .raw("\" max=\"")
            .text(of.max(1))
            .raw("\" value=\"")
            .text(of - drain.remaining);
        html.raw("\"></progress><p>")
            .text(&drain.strategy)
            .raw(", ended by generation ")
            .text(drain.generation);
        html.text(match drain.soft_deadline_seconds {
            0.0 => format!(", closed in {:.0} s at the latest", drain.hard_deadline_seconds),
            soft => format!(
                ", reads no more requests in {soft:.0} s, closed in {:.0} s at the latest",
                drain.hard_deadline_seconds
            ),
        });
        html.raw("</p></li>\n");
    }
    html.raw("</ul>\n");
    end(drains, html);
}

pub(super) fn limits(limits: &Shortened<LimitStatus>, html: &mut Html) {
    if limits.total == 0 {
        return;
    }
    html.raw(
        "<section aria-labelledby=\"limits\">\n<h2 id=\"limits\">Limits reached</h2>\n<ul class=\"list\">\n",
    );
    for limit in &limits.first {
        html.raw("<li><b>")
            .text(limit.sentence())
            .raw("</b><br>")
            .text(limit.details())
            .raw("</li>\n");
    }
    html.raw("</ul>\n");
    end(limits, html);
}

pub(super) fn warnings(warnings: &Shortened<String>, html: &mut Html) {
    if warnings.total == 0 {
        return;
    }
    html.raw("<section aria-labelledby=\"warnings\">\n<h2 id=\"warnings\">Warnings in force</h2>\n<ul class=\"list\">\n");
    for warning in &warnings.first {
        html.element("li", warning).raw("\n");
    }
    html.raw("</ul>\n");
    end(warnings, html);
}

pub(super) fn certificates(certificates: &Shortened<CertificateStatus>, html: &mut Html) {
    if certificates.total == 0 {
        return;
    }
    html.raw("<section aria-labelledby=\"certificates\">\n<h2 id=\"certificates\">Certificates</h2>\n")
        .raw("<table class=\"plain\" aria-labelledby=\"certificates\">\n<thead><tr><th scope=\"col\">Expires</th>")
        .raw("<th scope=\"col\">Left</th><th scope=\"col\">File</th></tr></thead>\n<tbody>\n");
    for certificate in &certificates.first {
        let day = certificate.expires.split('T').next().unwrap_or_default();
        let left = match certificate.days_left {
            ..0 => "expired".to_owned(),
            days => counted(usize::try_from(days).unwrap_or_default(), "day"),
        };
        let class = match certificate.days_left {
            ..0 => "badge bad",
            0..SOON_DAYS => "badge warn",
            _ => "badge good",
        };
        html.raw("<tr>")
            .element("td", day)
            .raw("<td><span class=\"")
            .raw(class)
            .raw("\">")
            .text(left);
        html.raw("</span></td>")
            .element("td", &certificate.file)
            .raw("</tr>\n");
    }
    html.raw("</tbody>\n</table>\n");
    end(certificates, html);
}

/// Ends a section with how much of the list is not shown.
fn end<T>(list: &Shortened<T>, html: &mut Html) {
    if let more @ 1.. = list.left_out() {
        html.raw("<p>and ").text(grouped(more)).raw(" more</p>\n");
    }
    html.raw("</section>\n");
}
