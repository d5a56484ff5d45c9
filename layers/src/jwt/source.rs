use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};

use super::JwtRejected;

/// Where the token of a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// In `Authorization: Bearer …` (RFC 6750).
    Authorization,
    /// In another header, with or without `Bearer` in front.
    Header(HeaderName),
    /// In the cookie with this name.
    Cookie(String),
}

const SEVERAL: JwtRejected = JwtRejected::Invalid("the request has more than one token");

/// Returns the token of a request. Different tokens in one request are an error, because the backend could read another one.
pub(super) fn find<'a>(sources: &[TokenSource], headers: &'a HeaderMap) -> Result<&'a [u8], JwtRejected> {
    let mut found = None;
    for source in sources {
        let mut tokens = source.tokens(headers);
        let Some(token) = tokens.next() else { continue };
        if tokens.next().is_some() || found.is_some_and(|other| other != token) {
            return Err(SEVERAL);
        }
        found = Some(token);
    }
    found.ok_or(JwtRejected::Missing)
}

impl TokenSource {
    fn tokens<'a>(&self, headers: &'a HeaderMap) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        match self {
            Self::Authorization => {
                let values = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
                // A backend could use another one of several values, whatever their schemes.
                let several = headers.get_all(AUTHORIZATION).iter().nth(1).is_some();
                Box::new(values.filter_map(move |value| if several { Some(value) } else { bearer(value) }))
            }
            Self::Header(name) => {
                let values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
                Box::new(values.map(|value| bearer(value).unwrap_or(value)))
            }
            Self::Cookie(name) => {
                let name = name.clone();
                Box::new(cookies(headers).filter_map(move |cookie| value_of(cookie, &name)))
            }
        }
    }

    /// Removes the token.
    pub(super) fn remove(&self, headers: &mut HeaderMap) {
        match self {
            // A password may be for the backend.
            Self::Authorization
                if headers.get(AUTHORIZATION).is_some_and(|value| bearer(value.as_bytes()).is_none()) => {}
            Self::Authorization => drop(headers.remove(AUTHORIZATION)),
            Self::Header(name) => drop(headers.remove(name)),
            Self::Cookie(name) => {
                let others: Vec<_> = cookies(headers).filter(|cookie| value_of(cookie, name).is_none()).collect();
                let others = HeaderValue::from_bytes(&others.join(&b"; "[..]));
                headers.remove(COOKIE);
                // Never fails: these are parts of valid values.
                if let Ok(others) = others
                    && !others.is_empty()
                {
                    headers.insert(COOKIE, others);
                }
            }
        }
    }
}

/// The token of `Bearer TOKEN`.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer".len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"Bearer") && token.first().is_none_or(|byte| *byte == b' ');
    is_bearer.then_some(token.trim_ascii())
}

/// All cookies. HTTP/2 can send each in a header of its own (RFC 9113, 8.2.3).
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(COOKIE).iter();
    let cookies = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    cookies.map(<[u8]>::trim_ascii).filter(|cookie| !cookie.is_empty())
}

fn value_of<'a>(cookie: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (found, value) = cookie.split_at(cookie.iter().position(|byte| *byte == b'=')?);
    (found.trim_ascii() == name.as_bytes()).then_some(value[1..].trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        values.iter().map(pair).collect()
    }

    #[test]
    fn the_token_is_found() {
        let authorization = [TokenSource::Authorization];
        let header = [TokenSource::Header(HeaderName::from_static("x-token"))];
        let cookie = [TokenSource::Cookie("t".into())];
        let any = [authorization.clone(), header.clone(), cookie.clone()].concat();
        for (sources, values, expected) in [
            (&authorization[..], &[("authorization", "Bearer a.b.c")][..], Ok("a.b.c")),
            (&authorization, &[("authorization", "bEARER   a.b.c")], Ok("a.b.c")),
            (&authorization, &[("authorization", "Bearer")], Ok("")),
            (&authorization, &[("authorization", "Bearera.b.c")], Err(JwtRejected::Missing)),
            (&authorization, &[("authorization", "Basic YTpi")], Err(JwtRejected::Missing)),
            (&authorization, &[("authorization", "a.b.c")], Err(JwtRejected::Missing)),
            (&authorization, &[("x-token", "a.b.c")], Err(JwtRejected::Missing)),
            (&authorization, &[("authorization", "Bearer a"), ("authorization", "Bearer a")], Err(SEVERAL)),
            (&authorization, &[("authorization", "Bearer a"), ("authorization", "Basic a")], Err(SEVERAL)),
            (&header, &[("x-token", "a.b.c")], Ok("a.b.c")),
            (&header, &[("x-token", "Bearer a.b.c")], Ok("a.b.c")),
            (&header, &[("x-token", "a"), ("x-token", "a")], Err(SEVERAL)),
            (&cookie, &[("cookie", "a=1; t=a.b.c;b=2")], Ok("a.b.c")),
            (&cookie, &[("cookie", "a=1"), ("cookie", "t=a.b.c")], Ok("a.b.c")),
            (&cookie, &[("cookie", "t=a=b")], Ok("a=b")),
            (&cookie, &[("cookie", "tt=a; t; T=b; at=c")], Err(JwtRejected::Missing)),
            (&cookie, &[("cookie", "t=a; t=a")], Err(SEVERAL)),
            (&cookie, &[("cookie", "t=a"), ("cookie", "t=b")], Err(SEVERAL)),
            (&any, &[("cookie", "t=a"), ("authorization", "Basic x")], Ok("a")),
            (&any, &[("cookie", "t=a"), ("authorization", "Bearer a")], Ok("a")),
            (&any, &[("cookie", "t=a"), ("authorization", "Bearer b")], Err(SEVERAL)),
            (&any, &[("cookie", "t=a"), ("x-token", "b")], Err(SEVERAL)),
            (&any, &[], Err(JwtRejected::Missing)),
        ] {
            let headers = headers(values);
            assert_eq!(find(sources, &headers), expected.map(str::as_bytes), "{values:?}");
        }
    }

    #[test]
    fn only_the_token_is_removed() {
        let cookie = TokenSource::Cookie("t".into());
        for (source, values, expected) in [
            (TokenSource::Authorization, &[("authorization", "bearer a"), ("x", "1")][..], &[("x", "1")][..]),
            (TokenSource::Authorization, &[("authorization", "Basic a")], &[("authorization", "Basic a")]),
            (TokenSource::Header(HeaderName::from_static("x")), &[("x", "1"), ("y", "1")], &[("y", "1")]),
            (cookie.clone(), &[("cookie", "a=1; t=x; b=2; t=y")], &[("cookie", "a=1; b=2")]),
            (cookie.clone(), &[("cookie", "a=1"), ("cookie", "t=x"), ("cookie", "b=2")], &[("cookie", "a=1; b=2")]),
            (cookie, &[("cookie", "t=x")], &[]),
        ] {
            let mut changed = headers(values);
            source.remove(&mut changed);
            assert_eq!(changed, headers(expected), "{values:?}");
        }
    }
}
