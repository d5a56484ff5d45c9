//! `pmesh routes`: shows what is served.

use tower::BoxError;

use super::ask::{block_on, get};
use crate::{
    admin::{RouteReport, RouteTlsReport, RoutesReport},
    columns::columns,
    settings::Settings,
};

/// Returns the routes that the node in this home serves, as a table or JSON.
///
/// # Errors
///
/// [`Unreachable`](super::Unreachable)
pub fn routes(settings: &Settings, json: bool) -> Result<String, BoxError> {
    let report: RoutesReport = block_on(async { Ok(get(settings, "/v1/routes").await?) })?;
    if json {
        return Ok(serde_json::to_string_pretty(&report)? + "\n");
    }
    if report.routes.is_empty() {
        return Ok("no routes, so nothing is served\n".to_owned());
    }
    Ok(table(&report))
}

fn table(report: &RoutesReport) -> String {
    let heading = ["ROUTE", "LISTENERS", "ANSWER", "OPTIONS"].map(str::to_owned);
    columns(&std::iter::once(heading).chain(report.routes.iter().flat_map(rows)).collect::<Vec<_>>())
}

/// One row per host and path.
fn rows(route: &RouteReport) -> impl Iterator<Item = [String; 4]> {
    let or_dash = |texts: Vec<String>| if texts.is_empty() { "-".to_owned() } else { texts.join(", ") };
    let rest = [or_dash(route.listeners.clone()), answer(route), or_dash(options(route))];
    let conditions = route.conditions.as_ref().map(|conditions| format!(" [{conditions}]")).unwrap_or_default();
    let place = move |host: &String, path: &String| format!("{host}{path}{conditions}");
    let places: Vec<_> = route.hosts.iter().flat_map(|host| route.paths.iter().map(|path| place(host, path))).collect();
    places.into_iter().map(move |place| {
        let [listeners, upstream, options] = rest.clone();
        [place, listeners, upstream, options]
    })
}

/// The addresses, the files, the redirect or the fixed response of the route.
fn answer(route: &RouteReport) -> String {
    let upstream = route.upstream.join(", ");
    match (&route.redirect, &route.respond, &route.files) {
        (Some(redirect), ..) => format!("redirect {redirect}"),
        (_, Some(respond), _) => format!("respond {respond}"),
        (.., Some(files)) if upstream.is_empty() => format!("files {files}"),
        (.., Some(files)) => format!("files {files}, else {upstream}"),
        _ => upstream,
    }
}

/// The options that are set, named as in the configuration.
fn options(route: &RouteReport) -> Vec<String> {
    let switch = |is_on: bool, key: &str| is_on.then(|| key.to_owned());
    let text = |key: &str, value: &Option<String>| value.as_ref().map(|value| format!("{key} {value}"));
    let RouteTlsReport { ca, server_name, cert, key, skip_verify } = route.tls.clone().unwrap_or_default();
    [
        switch(route.redirect_https, "redirect_https"),
        text("hsts", &route.hsts),
        switch(route.strip_prefix, "strip_prefix"),
        switch(route.allow_ambiguous_paths, "allow_ambiguous_paths"),
        text("host_header", &route.host_header),
        text("ca", &ca),
        text("server_name", &server_name),
        text("cert", &cert),
        text("key", &key),
        switch(skip_verify, "skip_verify"),
    ]
    .into_iter()
    .flatten()
    .chain(route.middleware.iter().cloned())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_a_line_per_host_and_path() {
        let plain = RouteReport {
            name: "app".to_owned(),
            hosts: vec!["a.test".to_owned(), "*.a.test".to_owned()],
            paths: vec!["/api".to_owned(), "/x (exact)".to_owned()],
            conditions: None,
            files: None,
            redirect: None,
            respond: None,
            middleware: vec!["allow".to_owned(), "rate_limit".to_owned()],
            redirect_https: true,
            hsts: Some("365d".to_owned()),
            connect_timeout: "5s".to_owned(),
            stall_timeout: "60s".to_owned(),
            stream_timeout: "1h".to_owned(),
            upstream: vec!["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()],
            listeners: vec!["http".to_owned(), "https".to_owned()],
            strip_prefix: true,
            allow_ambiguous_paths: false,
            host_header: Some("x".to_owned()),
            tls: Some(RouteTlsReport { ca: Some("/ca.pem".to_owned()), ..RouteTlsReport::default() }),
            response_timeout: "30s".to_owned(),
            max_body: None,
        };
        let files = RouteReport { files: Some("/srv/www".to_owned()), hosts: vec!["c".to_owned()], ..plain.clone() };
        let bare = RouteReport {
            hosts: vec!["b".to_owned()],
            strip_prefix: false,
            host_header: None,
            tls: Some(RouteTlsReport {
                cert: Some("/c.pem".to_owned()),
                key: Some("/c.key".to_owned()),
                skip_verify: true,
                ..RouteTlsReport::default()
            }),
            listeners: Vec::new(),
            middleware: Vec::new(),
            ..plain.clone()
        };
        assert_eq!(
            table(&RoutesReport { routes: vec![plain, files, bare] }),
            "ROUTE               LISTENERS    ANSWER                                         OPTIONS\n\
             a.test/api          http, https  127.0.0.1:1, 127.0.0.1:2                       redirect_https, hsts 365d, strip_prefix, host_header x, ca /ca.pem, allow, rate_limit\n\
             a.test/x (exact)    http, https  127.0.0.1:1, 127.0.0.1:2                       redirect_https, hsts 365d, strip_prefix, host_header x, ca /ca.pem, allow, rate_limit\n\
             *.a.test/api        http, https  127.0.0.1:1, 127.0.0.1:2                       redirect_https, hsts 365d, strip_prefix, host_header x, ca /ca.pem, allow, rate_limit\n\
             *.a.test/x (exact)  http, https  127.0.0.1:1, 127.0.0.1:2                       redirect_https, hsts 365d, strip_prefix, host_header x, ca /ca.pem, allow, rate_limit\n\
             c/api               http, https  files /srv/www, else 127.0.0.1:1, 127.0.0.1:2  redirect_https, hsts 365d, strip_prefix, host_header x, ca /ca.pem, allow, rate_limit\n\
             c/x (exact)         http, https  files /srv/www, else 127.0.0.1:1, 127.0.0.1:2  redirect_https, hsts 365d, strip_prefix, host_header x, ca /ca.pem, allow, rate_limit\n\
             b/api               -            127.0.0.1:1, 127.0.0.1:2                       redirect_https, hsts 365d, cert /c.pem, key /c.key, skip_verify\n\
             b/x (exact)         -            127.0.0.1:1, 127.0.0.1:2                       redirect_https, hsts 365d, cert /c.pem, key /c.key, skip_verify\n"
        );
    }
}
