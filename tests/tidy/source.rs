//! One Rust file as a flat list of tokens, each with its line and whether only tests see it.
//!
//! Tokens, not text: a comment or a string that mentions `crate::engine` is no import. Not a full
//! parser either: every check looks for a short run of tokens.

use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// What a token is, as far as the checks care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A word: identifier or keyword.
    Word(String),
    /// `::`, joined because every path check looks for it.
    PathSep,
    /// Any other punctuation character.
    Punct(char),
    /// A string, number or character; its text is of no interest.
    Literal,
    /// `(`, `[` or `{`.
    Open(char),
    /// `)`, `]` or `}`.
    Close(char),
}

/// One token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its line, from 1.
    pub line: usize,
    /// How many groups are open around it.
    pub depth: usize,
    /// Only tests compile it.
    pub test: bool,
}

impl Token {
    /// The word, or "" for anything else.
    pub(crate) fn word(&self) -> &str {
        match &self.kind {
            Kind::Word(word) => word,
            _ => "",
        }
    }

    /// Is it this word?
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.word() == word
    }

    /// Is it this kind?
    pub(crate) fn is(&self, kind: &Kind) -> bool {
        self.kind == *kind
    }
}

/// One file, read.
pub(crate) struct Source {
    /// Its path below the repository, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<Token>,
    test_lines: usize,
}

impl Source {
    /// Reads a file's text; `test` says that the whole file is compiled for tests only.
    ///
    /// # Errors
    /// The text is not made of Rust tokens.
    pub(crate) fn parse(path: &str, text: &str, test: bool) -> Result<Self, String> {
        let stream: TokenStream = text.parse().map_err(|e| format!("{path}: not Rust: {e}"))?;
        let mut tokens = Vec::new();
        flatten(stream, 0, &mut tokens);
        let whole = test || has_inner_cfg_test(&tokens);
        let mut test_lines = if whole { text.lines().count() } else { 0 };
        let spans = if whole { Vec::new() } else { test_spans(&tokens) };
        for span in &spans {
            test_lines += tokens[*span.end()].line - tokens[*span.start()].line + 1;
        }
        for (index, token) in tokens.iter_mut().enumerate() {
            token.test = whole || spans.iter().any(|span| span.contains(&index));
        }
        Ok(Self { path: path.to_owned(), text: text.to_owned(), tokens, test_lines })
    }

    /// The layer it belongs to: the folder below `src/`, "" for `lib.rs`, `main.rs` and the rest.
    pub(crate) fn layer(&self) -> &str {
        match self.path.strip_prefix("src/").and_then(|rest| rest.split_once('/')) {
            Some((layer, _)) => layer,
            None => "",
        }
    }

    /// Every attribute `#[…]` and `#![…]`: the tokens between its brackets, with its inner flag.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (bool, &[Token])> {
        (0..self.tokens.len()).filter_map(|at| attribute(&self.tokens, at)).map(|a| {
            let body = self.tokens.get(a.body).unwrap_or_default();
            (a.inner, body)
        })
    }

    /// How many lines it has that are not only for tests.
    pub(crate) fn lines_without_tests(&self) -> usize {
        self.text.lines().count().saturating_sub(self.test_lines)
    }
}

/// Where an attribute lies in a token list.
struct Attribute {
    inner: bool,
    body: std::ops::Range<usize>,
}

fn attribute(tokens: &[Token], at: usize) -> Option<Attribute> {
    if !tokens.get(at)?.is(&Kind::Punct('#')) {
        return None;
    }
    let inner = tokens.get(at + 1)?.is(&Kind::Punct('!'));
    let open = at + 1 + usize::from(inner);
    if !tokens.get(open)?.is(&Kind::Open('[')) {
        return None;
    }
    let close = closing(tokens, open);
    Some(Attribute { inner, body: open + 1..close })
}

/// The index of what closes the group that opens at `open`.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let depth = tokens[open].depth;
    (open + 1..tokens.len())
        .find(|&i| tokens[i].depth == depth && matches!(tokens[i].kind, Kind::Close(_)))
        .unwrap_or(tokens.len())
}

fn flatten(stream: TokenStream, depth: usize, out: &mut Vec<Token>) {
    // The last token was a colon with another one right behind it.
    let mut colon_waits = false;
    for tree in stream {
        let line = tree.span().start().line;
        let mut push = |kind, line| out.push(Token { kind, line, depth, test: false });
        let colon_waited = std::mem::take(&mut colon_waits);
        match tree {
            TokenTree::Ident(word) => push(Kind::Word(word.to_string()), line),
            TokenTree::Literal(literal) => push(Kind::Literal, literal.span().end().line),
            TokenTree::Punct(punct) if punct.as_char() == ':' && colon_waited => {
                out.pop();
                out.push(Token { kind: Kind::PathSep, line, depth, test: false });
            }
            TokenTree::Punct(punct) => {
                colon_waits = punct.as_char() == ':' && punct.spacing() == Spacing::Joint;
                push(Kind::Punct(punct.as_char()), line);
            }
            TokenTree::Group(group) => {
                let brackets = match group.delimiter() {
                    Delimiter::Parenthesis => Some(('(', ')')),
                    Delimiter::Brace => Some(('{', '}')),
                    Delimiter::Bracket => Some(('[', ']')),
                    Delimiter::None => None,
                };
                if let Some((open, _)) = brackets {
                    push(Kind::Open(open), group.span_open().start().line);
                }
                flatten(group.stream(), depth + 1, out);
                if let Some((_, close)) = brackets {
                    let line = group.span_close().start().line;
                    out.push(Token { kind: Kind::Close(close), line, depth, test: false });
                }
            }
        }
    }
}

/// Does this attribute say that only tests compile what follows?
fn is_cfg_test(body: &[Token]) -> bool {
    body.first().is_some_and(|t| t.is_word("cfg"))
        && body.iter().any(|t| t.is_word("test"))
        && !body.iter().any(|t| t.is_word("not"))
}

fn has_inner_cfg_test(tokens: &[Token]) -> bool {
    (0..tokens.len())
        .filter_map(|at| attribute(tokens, at))
        .any(|a| a.inner && is_cfg_test(&tokens[a.body]))
}

/// Every item, field or statement under `#[cfg(test)]`, as token indices.
fn test_spans(tokens: &[Token]) -> Vec<RangeInclusive<usize>> {
    let mut spans: Vec<RangeInclusive<usize>> = Vec::new();
    for at in 0..tokens.len() {
        if spans.last().is_some_and(|span| span.contains(&at)) {
            continue;
        }
        let Some(a) = attribute(tokens, at) else { continue };
        if !a.inner && is_cfg_test(&tokens[a.body.clone()]) {
            spans.push(at..=item_end(tokens, a.body.end + 1));
        }
    }
    spans
}

/// The words that open an item, which ends at its braces or `;` and never at a comma.
const ITEM_WORDS: [&str; 15] = [
    "async",
    "const",
    "enum",
    "extern",
    "fn",
    "impl",
    "let",
    "macro_rules",
    "mod",
    "static",
    "struct",
    "trait",
    "type",
    "unsafe",
    "use",
];

/// The last token of what begins at `start`, after its other attributes.
fn item_end(tokens: &[Token], mut start: usize) -> usize {
    while let Some(a) = attribute(tokens, start) {
        start = a.body.end + 1;
    }
    let last = tokens.len().saturating_sub(1);
    let Some(first) = tokens.get(start) else { return last };
    let depth = first.depth;
    let item = tokens[start..]
        .iter()
        .take_while(|t| !matches!(t.kind, Kind::Punct(';' | ',') | Kind::Open('{')))
        .any(|t| t.depth == depth && ITEM_WORDS.contains(&t.word()));
    for at in start..tokens.len() {
        let token = &tokens[at];
        match token.kind {
            Kind::Close(_) if token.depth < depth => return at.saturating_sub(1),
            _ if token.depth > depth => {}
            Kind::Punct(';') => return at,
            Kind::Punct(',') if !item => return at,
            Kind::Close('}') => {
                let semicolon = tokens.get(at + 1).is_some_and(|t| t.is(&Kind::Punct(';')));
                return at + usize::from(semicolon);
            }
            _ => {}
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Source {
        Source::parse("src/wire/sample.rs", text, false).unwrap()
    }

    fn test_words(source: &Source) -> Vec<&str> {
        source.tokens.iter().filter(|t| t.test && !t.word().is_empty()).map(Token::word).collect()
    }

    #[test]
    fn comments_and_strings_are_no_tokens() {
        let source =
            parse("/// crate::engine\nconst A: &str = \"crate::engine\"; // crate::engine\n");
        assert!(!source.tokens.iter().any(|t| t.is_word("crate")));
    }

    #[test]
    fn path_separators_are_joined_and_type_colons_are_not() {
        let source = parse("fn f(x: a::B) {}");
        assert_eq!(source.tokens.iter().filter(|t| t.is(&Kind::PathSep)).count(), 1);
        assert_eq!(source.tokens.iter().filter(|t| t.is(&Kind::Punct(':'))).count(), 1);
    }

    #[test]
    fn a_test_region_ends_with_its_item() {
        let source = parse("fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\nfn c() {}\n");
        assert!(test_words(&source).contains(&"b"));
        assert!(!test_words(&source).contains(&"a"));
        assert!(!test_words(&source).contains(&"c"));
    }

    #[test]
    fn a_test_region_covers_generics_uses_and_fields() {
        let source = parse("#[cfg(test)] fn f<A, B>(x: A) -> B { y } fn g() {}");
        assert!(test_words(&source).contains(&"y") && !test_words(&source).contains(&"g"));
        let source = parse("#[cfg(test)] use a::{b, c}; use d::e;");
        assert!(test_words(&source).contains(&"c") && !test_words(&source).contains(&"d"));
        let source = parse("struct S { #[cfg(test)] a: u8, b: u8 }");
        assert!(test_words(&source).contains(&"a") && !test_words(&source).contains(&"b"));
    }

    #[test]
    fn cfg_not_test_is_production() {
        assert!(test_words(&parse("#[cfg(not(test))] fn f() {}")).is_empty());
    }

    #[test]
    fn an_inner_cfg_test_makes_the_whole_file_a_test() {
        assert!(test_words(&parse("#![cfg(test)]\nfn f() {}")).contains(&"f"));
    }

    #[test]
    fn lines_of_tests_are_not_counted() {
        let source =
            parse("fn a() {}\n\n#[cfg(test)]\nmod tests {\n\n    // x\n    fn b() {}\n}\n");
        assert_eq!(source.lines_without_tests(), 2);
    }

    #[test]
    fn the_layer_is_the_folder_below_src() {
        assert_eq!(parse("").layer(), "wire");
        assert_eq!(Source::parse("src/lib.rs", "", false).unwrap().layer(), "");
        assert_eq!(Source::parse("tests/it/main.rs", "", true).unwrap().layer(), "");
    }
}
