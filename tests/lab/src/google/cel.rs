//! As much of the Common Expression Language as conditions and mappings for Kubernetes need.
//!
//! Literals, lists, `assertion`, `google`, `attribute`, `resource`, selection, index, `in`, `==`, `!=`, `&&`,
//! `||`, `!`, `+` of texts, `startsWith`, `endsWith`, `contains`, `size`, `has`. Whatever else
//! Google accepts is a syntax error here.

use serde_json::{Value, json};

/// A parsed expression
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    Literal(Value),
    List(Vec<Self>),
    Variable(String),
    Member(Box<Self>, Box<Self>),
    Call(Box<Self>, String, Vec<Self>),
    Has(Box<Self>),
    Not(Box<Self>),
    Binary(&'static str, Box<Self>, Box<Self>),
}

/// Why an expression has no value, or is none
pub(crate) type Result<T> = std::result::Result<T, String>;

impl Expression {
    /// Reads an expression of the supported part of the language
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0 };
        let expression = parser.binary(0)?;
        match parser.peek() {
            None => Ok(expression),
            Some(token) => Err(format!("unexpected {token:?}")),
        }
    }

    /// Its value where `scope` has the variables as members
    pub(crate) fn value(&self, scope: &Value) -> Result<Value> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::List(items) => {
                Ok(Value::Array(items.iter().map(|item| item.value(scope)).collect::<Result<_>>()?))
            }
            Self::Variable(name) => {
                scope.get(name).cloned().ok_or_else(|| format!("undeclared reference to '{name}'"))
            }
            Self::Member(of, key) => {
                let (of, key) = (of.value(scope)?, key.value(scope)?);
                let found = match &key {
                    Value::String(key) => of.get(key),
                    key => key.as_u64().and_then(|at| of.get(at as usize)),
                };
                found.cloned().ok_or_else(|| format!("no such key: {key}"))
            }
            Self::Has(member) => Ok(json!(member.value(scope).is_ok())),
            Self::Not(of) => Ok(json!(!truth(&of.value(scope)?)?)),
            Self::Call(of, name, arguments) => {
                let of = of.value(scope)?;
                let of = of.as_str().ok_or("no such overload")?;
                let argument = arguments.first().map(|argument| argument.value(scope)).transpose()?;
                let argument = argument.as_ref().and_then(Value::as_str);
                match (name.as_str(), argument) {
                    ("startsWith", Some(text)) => Ok(json!(of.starts_with(text))),
                    ("endsWith", Some(text)) => Ok(json!(of.ends_with(text))),
                    ("contains", Some(text)) => Ok(json!(of.contains(text))),
                    ("size", None) => Ok(json!(of.chars().count())),
                    _ => Err(format!("no such overload: {name}")),
                }
            }
            Self::Binary(operator, left, right) => Self::binary(operator, left, right, scope),
        }
    }

    fn binary(operator: &str, left: &Self, right: &Self, scope: &Value) -> Result<Value> {
        // Either side may determine the result alone, even when the other has no value (CEL, "Logical
        // operators").
        if let "&&" | "||" = operator {
            let decisive = operator == "||";
            let sides = [left, right].map(|side| side.value(scope).and_then(|value| truth(&value)));
            if sides.contains(&Ok(decisive)) {
                return Ok(json!(decisive));
            }
            let [left, right] = sides;
            left?;
            return Ok(json!(right?));
        }
        let (left, right) = (left.value(scope)?, right.value(scope)?);
        match (operator, &left, &right) {
            ("==", _, _) => Ok(json!(left == right)),
            ("!=", _, _) => Ok(json!(left != right)),
            ("+", Value::String(left), Value::String(right)) => Ok(json!(format!("{left}{right}"))),
            ("in", _, Value::Array(items)) => Ok(json!(items.contains(&left))),
            ("in", Value::String(key), Value::Object(map)) => Ok(json!(map.contains_key(key))),
            _ => Err(format!("no such overload: {operator}")),
        }
    }
}

fn truth(value: &Value) -> Result<bool> {
    value.as_bool().ok_or_else(|| "no such overload: not a bool".to_owned())
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Number(i64),
    Name(String),
    Mark(&'static str),
}

const MARKS: [&str; 12] = ["==", "!=", "&&", "||", "!", "+", ".", ",", "(", ")", "[", "]"];

fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first == '\'' || first == '"' {
            let (value, length) = quoted(rest, first)?;
            found.push(Token::Text(value));
            length
        } else if first.is_ascii_alphanumeric() || first == '_' {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
            let name = &rest[..length];
            found.push(match name {
                "in" => Token::Mark("in"),
                _ if first.is_ascii_digit() => Token::Number(name.parse().map_err(|_| "not a number")?),
                _ => Token::Name(name.to_owned()),
            });
            length
        } else {
            let mark = MARKS.into_iter().find(|mark| rest.starts_with(mark));
            let mark = mark.ok_or_else(|| format!("token recognition error at: '{first}'"))?;
            found.push(Token::Mark(mark));
            mark.len()
        };
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

/// A quoted text and how many bytes it takes
fn quoted(text: &str, quote: char) -> Result<(String, usize)> {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            _ if c == quote => return Ok((value, at + 1)),
            _ => value.push(c),
        }
    }
    Err("unterminated string".into())
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

/// Weakest first
const LEVELS: [&[&str]; 4] = [&["||"], &["&&"], &["==", "!=", "in"], &["+"]];

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn eat(&mut self, mark: &'static str) -> bool {
        let is = self.peek() == Some(&Token::Mark(mark));
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, mark: &'static str) -> Result<()> {
        if self.eat(mark) { Ok(()) } else { Err(format!("missing '{mark}'")) }
    }

    fn binary(&mut self, level: usize) -> Result<Expression> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.eat(operator)) {
            let right = self.binary(level + 1)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression> {
        if self.eat("!") {
            return Ok(Expression::Not(Box::new(self.unary()?)));
        }
        let mut of = self.primary()?;
        loop {
            if self.eat("[") {
                let key = self.binary(0)?;
                self.expect("]")?;
                of = Expression::Member(Box::new(of), Box::new(key));
            } else if self.eat(".") {
                let Some(Token::Name(name)) = self.peek().cloned() else {
                    return Err("missing identifier".into());
                };
                self.at += 1;
                of = if self.eat("(") {
                    Expression::Call(Box::new(of), name, self.until(")")?)
                } else {
                    Expression::Member(Box::new(of), Box::new(Expression::Literal(json!(name))))
                };
            } else {
                return Ok(of);
            }
        }
    }

    fn primary(&mut self) -> Result<Expression> {
        let token = self.peek().cloned().ok_or("mismatched input '<EOF>'")?;
        self.at += 1;
        match token {
            Token::Text(text) => Ok(Expression::Literal(json!(text))),
            Token::Number(number) => Ok(Expression::Literal(json!(number))),
            Token::Mark("(") => {
                let inner = self.binary(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Mark("[") => Ok(Expression::List(self.until("]")?)),
            Token::Name(name) => match name.as_str() {
                "true" | "false" => Ok(Expression::Literal(json!(name == "true"))),
                "has" if self.eat("(") => {
                    let inner = self.binary(0)?;
                    self.expect(")")?;
                    Ok(Expression::Has(Box::new(inner)))
                }
                "assertion" | "google" | "attribute" | "resource" => Ok(Expression::Variable(name)),
                _ => Err(format!("undeclared reference to '{name}'")),
            },
            other => Err(format!("unexpected {other:?}")),
        }
    }

    fn until(&mut self, end: &'static str) -> Result<Vec<Expression>> {
        let mut items = Vec::new();
        while !self.eat(end) {
            if !items.is_empty() {
                self.expect(",")?;
            }
            items.push(self.binary(0)?);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_for_kubernetes_have_values() {
        let scope = json!({"assertion": {
            "sub": "system:serviceaccount:ns:sa",
            "kubernetes.io": {"namespace": "ns", "serviceaccount": {"name": "sa", "uid": "u"}},
        }});
        let value = |text: &str| Expression::parse(text).and_then(|expression| expression.value(&scope));
        assert_eq!(value("assertion['kubernetes.io']['serviceaccount']['uid']"), Ok(json!("u")));
        assert_eq!(value("assertion['kubernetes.io'].serviceaccount.name == \"sa\""), Ok(json!(true)));
        assert_eq!(value("assertion.sub in ['x', 'system:serviceaccount:ns:sa']"), Ok(json!(true)));
        assert_eq!(value("assertion.sub.startsWith('system:') && !(1 == 2)"), Ok(json!(true)));
        assert_eq!(value("assertion['kubernetes.io']['namespace'] in []"), Ok(json!(false)));
        assert_eq!(value("'a' + 'b' == 'ab' || assertion.none == 'x'"), Ok(json!(true)));
        assert_eq!(value("has(assertion.none)"), Ok(json!(false)));
        assert!(value("assertion['kubernetes.io']['pod']['name']").is_err());
        for bad in ["assertion.sub in", "claims.sub", "'x", "a ? b : c", "assertion.sub)", "assertion..sub"] {
            assert!(Expression::parse(bad).is_err(), "{bad}");
        }
    }
}
