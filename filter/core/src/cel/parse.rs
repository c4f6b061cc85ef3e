//! From a text to an expression.

use super::CelError;
use super::lex::{Lexer, Token};
use super::pattern::Pattern;
use super::syntax::{Binary, Expr, Look};

/// How deep brackets may stand in each other, and how many signs of one kind may follow each other.
const DEEPEST: usize = 32;
/// Functions and macros of the language, as they are told to a user.
const KNOWN: &str = "has, size, startsWith, endsWith, contains, matches, exists, all";

/// Reads a whole expression.
///
/// # Errors
/// It is none, or uses what is not supported.
pub(super) fn expression(text: &str) -> Result<Expr, CelError> {
    let mut lexer = Lexer::new(text);
    let begin = lexer.place();
    let next = lexer.next()?;
    let mut parser = Parser { lexer, next, begin, depth: 0, variables: Vec::new() };
    let expr = parser.expr()?;
    if parser.next != Token::End {
        return Err(parser.expected("an operator"));
    }
    Ok(expr)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token that was read and not used.
    next: Token<'a>,
    /// Where it begins.
    begin: usize,
    depth: usize,
    /// Of the macros around.
    variables: Vec<&'a str>,
}

type Parsed = Result<Expr, CelError>;

impl<'a> Parser<'a> {
    #[inline(never)]
    fn fault(&self, what: &str) -> CelError {
        self.lexer.fault(self.begin, what)
    }

    #[inline(never)]
    fn expected(&self, what: &str) -> CelError {
        self.fault(&["expected ", what].concat())
    }

    #[inline(never)]
    fn unsupported(&self, what: &str) -> CelError {
        self.fault(&[what, " is not supported,"].concat())
    }

    /// Takes the token that comes next.
    #[inline(never)]
    fn take(&mut self) -> Result<Token<'a>, CelError> {
        self.begin = self.lexer.place();
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Takes that sign if it comes next.
    #[inline(never)]
    fn takes(&mut self, sign: &str) -> Result<bool, CelError> {
        let is_next = self.next == Token::Sign(sign);
        if is_next {
            self.take()?;
        }
        Ok(is_next)
    }

    fn needs(&mut self, sign: &str) -> Result<(), CelError> {
        if self.takes(sign)? { Ok(()) } else { Err(self.expected(&["`", sign, "`"].concat())) }
    }

    fn deeper(&mut self) -> Result<(), CelError> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(self.fault("too deep or too long an expression")) } else { Ok(()) }
    }

    /// Reads with a bound on the depth; what was added to it meanwhile does not count afterwards.
    fn bounded(&mut self, read: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        let depth = self.depth;
        self.deeper()?;
        let expr = read(self)?;
        self.depth = depth;
        Ok(expr)
    }

    /// An expression of any kind.
    #[inline(never)]
    fn expr(&mut self) -> Parsed {
        self.bounded(|parser| {
            let condition = parser.joined(true)?;
            if !parser.takes("?")? {
                return Ok(condition);
            }
            let then = parser.joined(true)?;
            parser.needs(":")?;
            let otherwise = parser.expr()?;
            Ok(Expr::Choice(Box::new(condition), Box::new(then), Box::new(otherwise)))
        })
    }

    /// What `||` joins, or `&&`.
    #[inline(never)]
    fn joined(&mut self, is_any: bool) -> Parsed {
        let sign = if is_any { "||" } else { "&&" };
        let mut parts = Vec::new();
        loop {
            parts.push(if is_any { self.joined(false)? } else { self.binary(1)? });
            if !self.takes(sign)? {
                break;
            }
        }
        match parts.pop() {
            Some(only) if parts.is_empty() => Ok(only),
            last => {
                parts.extend(last);
                Ok(Expr::Joined(is_any, parts))
            }
        }
    }

    /// What operators join that bind at least so strongly.
    #[inline(never)]
    fn binary(&mut self, least: u8) -> Parsed {
        self.bounded(|parser| {
            let mut left = parser.unary()?;
            loop {
                let (Token::Sign(sign) | Token::Word(sign)) = parser.next else { return Ok(left) };
                let Some((operator, strength)) = Binary::of(sign).filter(|(_, strength)| *strength >= least) else {
                    return Ok(left);
                };
                parser.take()?;
                parser.deeper()?;
                let right = parser.binary(strength + 1)?;
                left = Expr::Binary(operator, Box::new(left), Box::new(right));
            }
        })
    }

    #[inline(never)]
    fn unary(&mut self) -> Parsed {
        if self.takes("!")? {
            return Ok(Expr::Not(Box::new(self.bounded(Self::unary)?)));
        }
        if !self.takes("-")? {
            return self.member();
        }
        // The least whole number has no positive twin.
        if self.next == Token::Whole(1 << 63) {
            self.take()?;
            return Ok(Expr::Int(i64::MIN));
        }
        match self.bounded(Self::unary)? {
            Expr::Int(number) if number != i64::MIN => Ok(Expr::Int(-number)),
            other => Ok(Expr::Minus(Box::new(other))),
        }
    }

    /// A thing with fields, indices and calls after it.
    #[inline(never)]
    fn member(&mut self) -> Parsed {
        self.bounded(|parser| {
            let mut operand = parser.primary()?;
            loop {
                if parser.takes(".")? {
                    let begin = parser.begin;
                    let name = parser.name()?;
                    operand = if parser.takes("(")? {
                        parser.method(operand, name, begin)?
                    } else {
                        Expr::Field(Box::new(operand), name.into())
                    };
                } else if parser.takes("[")? {
                    let index = parser.expr()?;
                    parser.needs("]")?;
                    operand = Expr::Index(Box::new(operand), Box::new(index));
                } else {
                    return Ok(operand);
                }
                parser.deeper()?;
            }
        })
    }

    fn name(&mut self) -> Result<&'a str, CelError> {
        match self.next {
            Token::Word("in" | "true" | "false" | "null") => Err(self.expected("a name")),
            Token::Word(name) => {
                self.take()?;
                Ok(name)
            }
            _ => Err(self.expected("a name")),
        }
    }

    /// A call of a function of a value, after its `(`.
    #[inline(never)]
    fn method(&mut self, operand: Expr, name: &str, begin: usize) -> Parsed {
        let look = match name {
            "startsWith" => Look::Starts,
            "endsWith" => Look::Ends,
            "contains" => Look::Contains,
            "size" => {
                self.needs(")")?;
                return Ok(Expr::Size(Box::new(operand)));
            }
            "matches" => return self.pattern(operand),
            "exists" | "all" => return self.each(operand, name == "exists"),
            other => return Err(self.no_function(other, begin)),
        };
        let part = self.expr()?;
        self.needs(")")?;
        Ok(Expr::Look(look, Box::new(operand), Box::new(part)))
    }

    /// The pattern of `matches`, up to the `)`. It is read once, here, so it has to stand here.
    #[inline(never)]
    fn pattern(&mut self, operand: Expr) -> Parsed {
        let begin = self.begin;
        let Expr::Text(text) = self.expr()? else {
            return Err(self.lexer.fault(begin, "the pattern of matches() is not a text in quotes,"));
        };
        let pattern = Pattern::parse(&text).map_err(|what| {
            let what = ["the pattern cannot be used: ", what, ","].concat();
            self.lexer.fault(begin, &what)
        })?;
        self.needs(")")?;
        Ok(Expr::Matches(Box::new(operand), pattern))
    }

    #[inline(never)]
    fn no_function(&self, name: &str, begin: usize) -> CelError {
        let what = ["the function `", name, "` is not supported (there are ", KNOWN, ")"].concat();
        self.lexer.fault(begin, &what)
    }

    #[inline(never)]
    fn each(&mut self, range: Expr, is_any: bool) -> Parsed {
        let variable = self.name()?;
        self.needs(",")?;
        self.variables.push(variable);
        let condition = self.expr()?;
        self.variables.pop();
        self.needs(")")?;
        Ok(Expr::Each(is_any, Box::new(range), Box::new(condition)))
    }

    #[inline(never)]
    fn primary(&mut self) -> Parsed {
        let expr = match &self.next {
            Token::Whole(number) => match i64::try_from(*number) {
                Ok(number) => Expr::Int(number),
                Err(_) => return Err(self.fault("a number that is too large")),
            },
            Token::Double(number) => Expr::Double(*number),
            Token::Text(text) => Expr::Text(text.as_str().into()),
            Token::Word(word) => return self.word(word),
            Token::Sign("(") => {
                self.take()?;
                let inner = self.expr()?;
                self.needs(")")?;
                return Ok(inner);
            }
            Token::Sign("[") => return self.list(),
            Token::Sign("{") => return Err(self.unsupported("a map of your own")),
            _ => return Err(self.expected("a value")),
        };
        self.take()?;
        Ok(expr)
    }

    #[inline(never)]
    fn list(&mut self) -> Parsed {
        self.take()?;
        let mut elements = Vec::new();
        while !self.takes("]")? {
            elements.push(self.expr()?);
            if !self.takes(",")? {
                self.needs("]")?;
                break;
            }
        }
        Ok(Expr::List(elements))
    }

    /// A name or keyword that stands for a value, or a function.
    #[inline(never)]
    fn word(&mut self, word: &str) -> Parsed {
        let begin = self.begin;
        self.take()?;
        if self.takes("(")? {
            return self.function(word, begin);
        }
        let variable = self.variables.iter().rposition(|known| *known == word);
        Ok(match (word, variable) {
            ("null", _) => Expr::Null,
            ("true" | "false", _) => Expr::Bool(word == "true"),
            (_, Some(at)) => Expr::Variable(at),
            ("event", _) => Expr::Event,
            _ => {
                let what = ["the name `", word, "` is not known (there is `event`)"].concat();
                return Err(self.lexer.fault(begin, &what));
            }
        })
    }

    /// A call of a function of its own, after its `(`.
    fn function(&mut self, name: &str, begin: usize) -> Parsed {
        if !matches!(name, "has" | "size" | "matches") {
            return Err(self.no_function(name, begin));
        }
        let operand = self.expr()?;
        if name == "matches" {
            self.needs(",")?;
            return self.pattern(operand);
        }
        self.needs(")")?;
        match (name, operand) {
            ("size", operand) => Ok(Expr::Size(Box::new(operand))),
            (_, Expr::Field(operand, field)) => Ok(Expr::Has(operand, field)),
            _ => Err(self.expected("a field in has()")),
        }
    }
}
