//! `limits` of a service.

use figment::value::Value;

use super::ServiceLimits;
use crate::config::{Node, Parse, Problems, Reason, Size, because};

/// Reads the table. Returns `None` if it is invalid, and reports that.
pub(super) fn read(node: &Node<'_>, problems: &mut Problems) -> Option<ServiceLimits> {
    if node.value.as_dict().is_none() {
        problems.push(node.unexpected("a table such as { memory = \"512MiB\", cpu = 1.5 }"));
        return None;
    }
    let memory = optional(node, "memory", problems);
    let open_files = optional(node, "open_files", problems);
    let cpu = optional(node, "cpu", problems);
    Some(ServiceLimits {
        memory: memory?.map(|Memory(bytes)| bytes),
        open_files: open_files?.map(|OpenFiles(count)| count),
        millicpus: cpu?.map(|Processors(thousandths)| thousandths),
    })
}

fn optional<T: Parse>(table: &Node<'_>, key: &str, problems: &mut Problems) -> Option<Option<T>> {
    table.field(key).map_or(Some(None), |node| node.read(problems).map(Some))
}

struct Memory(u64);

impl Parse for Memory {
    // With less, few programs start, and a typo such as 512 would be hard to find.
    const EXPECTED: &'static str = "a size of at least 1MiB, such as 512MiB";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let Size(bytes) = Size::parse(value)?;
        if bytes < 1 << 20 { Err(None) } else { Ok(Self(bytes)) }
    }
}

struct OpenFiles(u64);

impl Parse for OpenFiles {
    const EXPECTED: &'static str = "a number from 16 to 1048576";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let count = value.to_u128().filter(|count| (16..=1_048_576).contains(count)).ok_or(None)?;
        count.try_into().map(Self).map_err(because)
    }
}

/// A number of processors, in thousandths.
struct Processors(u32);

impl Parse for Processors {
    const EXPECTED: &'static str = "a number of processors from 0.001 to 1024, such as 0.5 or 2";

    fn parse(value: &Value) -> Result<Self, Reason> {
        // Text comes from the environment, or was put in quotes.
        let number = match value.as_str() {
            Some(text) => text.trim().parse().map_err(|_| of_percent(text))?,
            None => value.to_num_lossy().filter(|_| value.to_bool().is_none()).and_then(to_f64).ok_or(None)?,
        };
        let thousandths = (number * 1000.0).round();
        if !(1.0..=1_024_000.0).contains(&thousandths) {
            return Err(None);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in the range of u32")]
        Ok(Self(thousandths as u32))
    }
}

fn to_f64(number: figment::value::Num) -> Option<f64> {
    let whole = number.to_u128().and_then(|number| u32::try_from(number).ok()).map(f64::from);
    whole.or_else(|| number.to_f64())
}

/// Advice on `150%`, as in systemd, and on `500m`, as in Kubernetes.
fn of_percent(text: &str) -> Reason {
    let (number, per) = match (text.strip_suffix('%'), text.strip_suffix('m')) {
        (Some(number), _) => (number, 100.0),
        (_, Some(number)) => (number, 1000.0),
        _ => return None,
    };
    number.trim().parse::<f64>().ok().map(|number| format!("write {}", number / per))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_in_thousandths() {
        for (value, expected) in
            [(Value::from(0.5), 500), (1.5.into(), 1500), (2_u64.into(), 2000), ("0.25".into(), 250), (0.001.into(), 1)]
        {
            assert_eq!(Processors::parse(&value).map(|Processors(count)| count), Ok(expected), "{value:?}");
        }
        for value in [Value::from(0.0), (-1.0).into(), 0_u64.into(), f64::NAN.into(), 1025_u64.into(), true.into()] {
            assert!(Processors::parse(&value).is_err(), "{value:?}");
        }
        for (text, expected) in [("150%", "write 1.5"), ("500m", "write 0.5")] {
            assert_eq!(Processors::parse(&text.into()).err().flatten().as_deref(), Some(expected));
        }
    }
}
