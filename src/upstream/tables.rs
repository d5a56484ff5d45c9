//! The route table of each listener.

use std::{collections::BTreeMap, sync::Arc};

use pmesh_layers::route::{DuplicateRoute, RouteTable};

use crate::settings::{Answer, Listener, ServedPlace, Settings};

/// The route table of each listener. Listeners that serve the same places share one.
#[derive(Debug)]
pub struct Tables {
    /// By listener name. Looked up for each TLS handshake, and there may be thousands of listeners.
    by_listener: BTreeMap<String, Arc<RouteTable<usize>>>,
}

impl Tables {
    /// Builds the tables for `settings`. Targets are the indices of [`ServedPlace`].
    ///
    /// # Errors
    ///
    /// Never for validated settings.
    pub fn build(settings: &Settings) -> Result<Self, DuplicateRoute> {
        let mut by_listener = BTreeMap::new();
        let mut built: Vec<(Vec<usize>, Arc<RouteTable<usize>>)> = Vec::new();
        for listener in settings.all_listeners() {
            let served = settings.served(&listener);
            let indices: Vec<_> = served.iter().map(|served| served.index).collect();
            let table = match built.iter().find(|(other, _)| *other == indices) {
                Some((_, table)) => Arc::clone(table),
                None => {
                    let table = Arc::new(table(&served)?);
                    built.push((indices, Arc::clone(&table)));
                    table
                }
            };
            by_listener.insert(listener.name().to_owned(), table);
        }
        Ok(Self { by_listener })
    }

    /// The table of a listener, with or without TLS; `None` if no listener has that name.
    pub fn for_listener(&self, listener: &Listener) -> Option<&Arc<RouteTable<usize>>> {
        self.by_listener.get(listener.name())
    }
}

fn table(served: &[ServedPlace<'_>]) -> Result<RouteTable<usize>, DuplicateRoute> {
    let mut table = RouteTable::new();
    for ServedPlace { index, place, route } in served {
        let rule = place.rule();
        let rule = if route.allow_ambiguous_paths { rule.literal() } else { rule };
        let changes_only_case = match &route.answer {
            Answer::Redirect(redirection) => redirection.changes_only_case(place),
            _ => false,
        };
        let rule = if changes_only_case { rule.exact_case() } else { rule };
        table.insert(place.host.clone(), rule, *index)?;
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use pmesh_layers::host::ServedHosts;

    use super::*;
    use crate::{
        cli::Arguments,
        config::{Defaults, Source},
    };

    fn tables(flags: &[&str], file: &str) -> Tables {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, file).unwrap();
        let arguments = Arguments::parse([&["pmesh", "--config", path.to_str().unwrap()], flags].concat()).unwrap();
        let source = Source::new(arguments.flags, [("HOME".into(), "/x".into())], Defaults::none());
        Tables::build(&source.load().unwrap().settings).unwrap()
    }

    #[test]
    fn listeners_that_serve_the_same_share_a_table() {
        let tables = tables(&["--route", "a.test=u:1", "--route", "a.test/x=u:2"], "[listeners.b]\nport = 1\n");
        let [http, https, internal] = [Listener::Http, Listener::Https, Listener::Internal]
            .map(|listener| tables.for_listener(&listener).unwrap().clone());
        assert!(Arc::ptr_eq(&http, &https) && Arc::ptr_eq(&http, &internal));
        let b = |tls| Listener::Named { name: "b".into(), tls };
        assert!(tables.for_listener(&b(true)).unwrap().served("a.test").is_none());
        assert!(Arc::ptr_eq(tables.for_listener(&b(true)).unwrap(), tables.for_listener(&b(false)).unwrap()));
        assert!(tables.for_listener(&Listener::Named { name: "c".into(), tls: true }).is_none());
    }

    #[test]
    fn a_redirect_to_the_same_path_in_another_case_does_not_make_it_ambiguous() {
        let redirects = [
            "\"a.test/Blog/*\" = \"/blog/{*}\"",
            "\"a.test/wiki/main_page\" = \"https://a.test/wiki/Main_Page?x\"",
            "\"a.test/Shop/*\" = \"https://{host}/shop/v2/{*}\"",
            "\"a.test/Old/*\" = \"/new/{*}\"",
            "\"a.test/Away\" = \"https://b.test/away\"",
            "\"a.test/Up/*\" = \"/uptown/{*}\"",
            "\"a.test/Long\" = \"/long/er\"",
        ];
        let routes = "[[routes]]\nhost = \"a.test\"\nupstream = \"u:1\"\n";
        let tables = tables(&[], &format!("{routes}[redirects]\n{}\n", redirects.join("\n")));
        let table = tables.for_listener(&Listener::Http).unwrap();
        for (path, is_found) in [
            ("/Blog/x", true),
            ("/blog/x", true),
            ("/BLOG", true),
            ("/wiki/Main_Page", true),
            ("/shop/x", true),
            ("/old/x", false),
            ("/away", false),
            ("/up", false),
            ("/long", false),
        ] {
            assert_eq!(table.find("a.test", path).is_ok(), is_found, "{path}");
        }
    }

    #[test]
    fn each_listener_has_its_hosts() {
        let route = |host: &str, listeners: &str| {
            format!("[[routes]]\nhost = \"{host}\"\nlisteners = {listeners}\nupstream = \"u:1\"\n")
        };
        let routes = [route("a.test", "\"http\""), route("b.test", "[\"https\", \"b\"]")].concat();
        let tables = tables(&[], &format!("[listeners.b]\nport = 1\n{routes}"));
        let serves = |listener, host| tables.for_listener(&listener).unwrap().served(host).is_some();
        for (listener, expected) in [
            (Listener::Http, [true, false]),
            (Listener::Https, [false, true]),
            (Listener::Named { name: "b".into(), tls: false }, [false, true]),
            (Listener::Internal, [true, true]),
        ] {
            assert_eq!(["a.test", "b.test"].map(|host| serves(listener.clone(), host)), expected, "{listener:?}");
        }
    }
}
