//! Parses a page in Markdown.

use std::{collections::BTreeSet, fs};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page, and the parts of it that are tested.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The file, from the top of the repository.
    pub(crate) name: String,
    pub(crate) text: String,
    /// The anchors in it: headings and explicit ids.
    pub(crate) anchors: BTreeSet<String>,
    /// The targets of its links and images.
    pub(crate) links: Vec<String>,
    /// Its fenced code blocks: the info string, and the code.
    pub(crate) blocks: Vec<(String, String)>,
    pub(crate) spans: Vec<Span>,
}

/// A code span.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) code: String,
    /// The headings of the page and the section, and the paragraph around it, or the row with the head of its table.
    pub(crate) context: String,
}

impl Page {
    pub(crate) fn read(name: &str) -> Self {
        let text = fs::read_to_string(crate::root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut page = Self { name: name.to_owned(), text: text.clone(), ..Self::default() };
        page.take_apart(&text);
        page
    }

    /// The code blocks in a language.
    pub(crate) fn code<'a>(&'a self, language: &'a str) -> impl Iterator<Item = &'a str> {
        self.blocks.iter().filter(move |(fence, _)| fence == language).map(|(_, code)| code.as_str())
    }

    fn take_apart(&mut self, text: &str) {
        let [mut title, mut section, mut head, mut block] = [const { String::new() }; 4];
        let mut codes = Vec::new();
        let mut fence = None;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                    fence = Some((info.to_string(), String::new()));
                }
                Event::End(TagEnd::CodeBlock) => self.blocks.extend(fence.take()),
                Event::Text(text) => match &mut fence {
                    Some((_, code)) => code.push_str(&text),
                    None => block.push_str(&text),
                },
                Event::Code(code) => {
                    block.push_str(&code);
                    codes.push(code.to_string());
                }
                Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::TableCell) => block.push(' '),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    self.links.push(dest_url.to_string());
                }
                Event::Html(html) | Event::InlineHtml(html) => self.anchors.extend(ids(&html)),
                Event::Start(Tag::Paragraph | Tag::Heading { .. } | Tag::Item | Tag::TableHead | Tag::TableRow)
                | Event::End(TagEnd::Item | TagEnd::Paragraph | TagEnd::TableRow) => {
                    self.add(&section, &head, &mut block, &mut codes);
                }
                Event::End(TagEnd::Table) => head.clear(),
                Event::End(TagEnd::TableHead) => {
                    head = block.clone();
                    self.add(&section, "", &mut block, &mut codes);
                }
                Event::End(TagEnd::Heading(_)) => {
                    if title.is_empty() {
                        title = block.clone();
                    }
                    section = format!("{title}\n{block}");
                    let anchor = anchor(&block);
                    let mut numbered = (1..).map(|n| format!("{anchor}-{n}"));
                    let is_free = |anchor: &String| !self.anchors.contains(anchor);
                    let unique = Some(anchor.clone()).filter(is_free).or_else(|| numbered.find(is_free));
                    self.anchors.extend(unique);
                    self.add(&section, "", &mut block, &mut codes);
                }
                _ => {}
            }
        }
    }

    /// Adds the code spans of a finished block.
    fn add(&mut self, section: &str, head: &str, block: &mut String, codes: &mut Vec<String>) {
        let context = format!("{section}\n{head}\n{block}");
        self.spans.extend(codes.drain(..).map(|code| Span { code, context: context.clone() }));
        block.clear();
    }
}

/// The anchor of a heading, as mdBook and most forges build it.
fn anchor(heading: &str) -> String {
    let is_kept = |c: &char| c.is_alphanumeric() || *c == '_' || *c == '-' || *c == ' ';
    heading.trim().chars().filter(is_kept).map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn ids(html: &str) -> impl Iterator<Item = String> {
    html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned)
}
