//! Reads requests as strictly as RFC 9112 allows: no two parsers disagree about a request that this reader accepts.

/// A request as it was on the wire, or only its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: String,
    /// In order, with names in lower case.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl Request {
    /// The values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(key, _)| key == name).map(|(_, value)| &**value).collect()
    }

    /// The value of a header that occurs exactly once.
    #[track_caller]
    pub fn field(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "one {name} in {self:?}");
        all[0]
    }
}

/// How the length of the body is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
}

/// What makes a request ambiguous.
pub type Fault = &'static str;

/// Returns the first request in `bytes` and its length, or `None` if it is incomplete.
pub fn request(bytes: &[u8]) -> Result<Option<(Request, usize)>, Fault> {
    let Some((mut request, framing, mut used)) = head(bytes)? else { return Ok(None) };
    match framing {
        Framing::Length(length) => {
            let Some(body) = bytes.get(used..used + length) else { return Ok(None) };
            request.body = body.to_vec();
            used += length;
        }
        Framing::Chunked => {
            let Some((body, trailers, length)) = chunks(&bytes[used..])? else { return Ok(None) };
            (request.body, request.trailers) = (body, trailers);
            used += length;
        }
    }
    Ok(Some((request, used)))
}

/// Returns the head of the first request in `bytes`, the framing of its body, and the length of the head.
pub fn head(bytes: &[u8]) -> Result<Option<(Request, Framing, usize)>, Fault> {
    let Some((lines, used)) = lines(bytes)? else { return Ok(None) };
    let (first, rest) = lines.split_first().ok_or("empty head")?;
    let [method, target, version] = first.split(|byte| *byte == b' ').collect::<Vec<_>>()[..] else {
        return Err("request line");
    };
    if !is_token(method) || !target.iter().all(u8::is_ascii_graphic) || target.contains(&b'#') {
        return Err("request line");
    }
    if !(target.starts_with(b"/") || target == b"*" && method == b"OPTIONS") {
        return Err("target is not in origin form");
    }
    let fields = fields(rest)?;
    let framing = framing(&fields, version)?;
    let host: Vec<_> = fields.iter().filter(|(name, _)| name == "host").collect();
    let [(_, host)] = host[..] else { return Err("not one Host") };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) {
        return Err("Host syntax");
    }
    let request =
        Request { method: text(method), target: text(target), fields, body: Vec::new(), trailers: Vec::new() };
    Ok(Some((request, framing, used)))
}

/// Returns the requests on one backend connection, or the first fault. The last request can be cut short: no parser
/// turns it into another one.
pub fn judge(mut bytes: &[u8]) -> Result<Vec<Request>, Fault> {
    let mut requests = Vec::new();
    while let Some((one, used)) = request(bytes)? {
        requests.push(one);
        bytes = &bytes[used..];
    }
    Ok(requests)
}

fn framing(fields: &[(String, String)], version: &[u8]) -> Result<Framing, Fault> {
    let of = |name: &str| fields.iter().filter(|(key, _)| key == name).map(|(_, value)| &**value).collect::<Vec<_>>();
    let (lengths, codings) = (of("content-length"), of("transfer-encoding"));
    if version != b"HTTP/1.1" && !(version == b"HTTP/1.0" && codings.is_empty()) {
        return Err("version");
    }
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(Framing::Length(0)),
        ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().map(Framing::Length).map_err(|_| "Content-Length is too large")
        }
        ([_], []) => Err("Content-Length syntax"),
        ([], ["chunked"]) => Ok(Framing::Chunked),
        ([], [_]) => Err("Transfer-Encoding value"),
        ([], _) => Err("several Transfer-Encodings"),
        (_, []) => Err("several Content-Lengths"),
        _ => Err("Content-Length and Transfer-Encoding"),
    }
}

/// Body, trailers, and the length of both on the wire.
type Chunks = (Vec<u8>, Vec<(String, String)>, usize);

fn chunks(bytes: &[u8]) -> Result<Option<Chunks>, Fault> {
    let (mut body, mut used) = (Vec::new(), 0);
    loop {
        let Some((line, after)) = line(&bytes[used..])? else { return Ok(None) };
        if line.is_empty() || line.len() > 15 || !line.iter().all(u8::is_ascii_hexdigit) {
            return Err("chunk size");
        }
        let size = usize::from_str_radix(&text(line), 16).map_err(|_| "chunk size")?;
        used += after;
        if size == 0 {
            break;
        }
        let Some(chunk) = bytes.get(used..used + size + 2) else { return Ok(None) };
        let (chunk, end) = chunk.split_at(size);
        if end != b"\r\n" {
            return Err("chunk end");
        }
        body.extend_from_slice(chunk);
        used += size + 2;
    }
    let Some((lines, after)) = lines(&bytes[used..])? else { return Ok(None) };
    let trailers = fields(&lines)?;
    let forbidden = ["host", "content-length", "transfer-encoding", "forwarded"];
    if trailers.iter().any(|(name, _)| forbidden.contains(&&**name) || name.starts_with("x-forwarded-")) {
        return Err("a trailer that is no trailer");
    }
    Ok(Some((body, trailers, used + after)))
}

fn fields(lines: &[&[u8]]) -> Result<Vec<(String, String)>, Fault> {
    lines.iter().map(|line| field(line)).collect()
}

fn field(line: &[u8]) -> Result<(String, String), Fault> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or("a line without a colon")?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if !is_token(name) {
        return Err("header name");
    }
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err("control byte in a value");
    }
    let name = text(name).to_ascii_lowercase();
    if name.contains('_') && matches!(&*name.replace('_', "-"), "content-length" | "transfer-encoding") {
        return Err("underscored framing header");
    }
    Ok((name, text(value)))
}

/// Lines, and their length on the wire.
type Lines<'a> = (Vec<&'a [u8]>, usize);

/// The lines up to an empty one.
fn lines(bytes: &[u8]) -> Result<Option<Lines<'_>>, Fault> {
    let (mut lines, mut used) = (Vec::new(), 0);
    while let Some((line, after)) = line(&bytes[used..])? {
        used += after;
        if line.is_empty() {
            return Ok(Some((lines, used)));
        }
        lines.push(line);
    }
    Ok(None)
}

/// The first line, and its length including the line end.
fn line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Fault> {
    let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else { return Ok(None) };
    match (bytes[end], bytes.get(end + 1)) {
        (b'\r', None) => Ok(None),
        (b'\r', Some(b'\n')) => Ok(Some((&bytes[..end], end + 2))),
        (b'\r', Some(_)) => Err("bare CR"),
        _ => Err("bare LF"),
    }
}

fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_reader_is_strict() {
    let post = |fields: &str, body: &str| format!("POST /p HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
    for (bytes, expected) in [
        (post("", ""), Ok(1)),
        (post("", "") + &post("Content-Length: 1\r\n", "x"), Ok(2)),
        (post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\nx: y\r\n\r\n"), Ok(1)),
        (post("Content-Length: 2\r\n", "x"), Ok(0)),
        (post("Transfer-Encoding: chunked\r\n", "3\r\nab"), Ok(0)),
        (post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), Err("several Content-Lengths")),
        (post("Content-Length: +1\r\n", "x"), Err("Content-Length syntax")),
        (post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", ""), Err("Content-Length and Transfer-Encoding")),
        (post("Transfer-Encoding: gzip, chunked\r\n", ""), Err("Transfer-Encoding value")),
        (post("Transfer-Encoding : chunked\r\n", ""), Err("header name")),
        (post("Transfer-Encoding:\r\n chunked\r\n", ""), Err("a line without a colon")),
        (post("Transfer_Encoding: chunked\r\n", ""), Err("underscored framing header")),
        (post("Host: a\r\n", ""), Err("not one Host")),
        (post("X: a\0\r\n", ""), Err("control byte in a value")),
        (post("X: a\rb\r\n", ""), Err("bare CR")),
        (post("X: a\nb: c\r\n", ""), Err("bare LF")),
        (post("Transfer-Encoding: chunked\r\n", "3;x\r\nabc\r\n"), Err("chunk size")),
        (post("Transfer-Encoding: chunked\r\n", "0x3\r\nabc\r\n"), Err("chunk size")),
        (post("Transfer-Encoding: chunked\r\n", "3\nabc\n"), Err("bare LF")),
        (post("Transfer-Encoding: chunked\r\n", "3\r\nabcd\r\n"), Err("chunk end")),
        (post("Transfer-Encoding: chunked\r\n", "0\r\nContent-Length: 1\r\n\r\n"), Err("a trailer that is no trailer")),
        ("GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".into(), Err("version")),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n".into(), Err("request line")),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n".into(), Err("target is not in origin form")),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n".into(), Err("Host syntax")),
        ("GET / HTTP/1.1\r\n\r\n".into(), Err("not one Host")),
    ] {
        assert_eq!(judge(bytes.as_bytes()).map(|requests| requests.len()), expected, "{bytes:?}");
    }
}
