/// A server that examples are played against.
#[allow(dead_code, reason = "few documents have no example")]
pub trait Live {
    /// Calls a method, and answers with its result or with its error object.
    fn call(
        &mut self,
        method: &str,
        params: ::serde_json::Value,
    ) -> impl ::std::future::Future<Output = Result<::serde_json::Value, ::serde_json::Value>>;

    /// What stands here for values that the document made up, such as ids: each with the one that it has here.
    fn stand_ins(&self) -> ::std::vec::Vec<(::serde_json::Value, ::serde_json::Value)> {
        ::std::vec::Vec::new()
    }
}

/// An example pairing of the document.
#[allow(dead_code, reason = "few documents have no example")]
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The method that is called.
    pub method: &'static str,
    /// The name of the pairing.
    pub name: &'static str,
    /// Where it stands: file and JSON pointer.
    pub place: &'static str,
    /// What must have been done before, in words of the document: `x-given`.
    pub given: Option<&'static str>,
    /// What is sent, as JSON text.
    pub params: &'static str,
    /// The result or the error object, as JSON text.
    pub answer: Result<&'static str, &'static str>,
    /// JSON pointers into the answer, to what differs from time to time: of that only the type is compared.
    pub varies: &'static [&'static str],
    /// Whether an answer, or the data of an error, is one of its type.
    reads: fn(::serde_json::Value) -> Result<(), ::serde_json::Error>,
}

#[allow(dead_code, reason = "few documents have no example")]
impl Example {
    /// Plays it: the answer must have its type, and be the document's but for what varies.
    ///
    /// # Errors
    ///
    /// What is answered otherwise than the document says.
    pub async fn hold(&self, live: &mut impl Live) -> Result<(), ::std::string::String> {
        let stand_ins = live.stand_ins();
        let here = |text: &str| {
            let value = ::serde_json::from_str(text).map_err(|error| format!("{}: {error}", self.place))?;
            Ok::<_, ::std::string::String>(stood_in(value, &stand_ins))
        };
        let answer = live.call(self.method, here(self.params)?).await;
        let otherwise = |answer: &::serde_json::Value, expected: &::serde_json::Value, why: &str| {
            let given = self.given.map(|given| format!(", given that {given}")).unwrap_or_default();
            Err(format!("{} `{}`{given}: {answer} came, not {expected}{why}", self.place, self.name))
        };
        let (mut came, mut expected) = match (answer, self.answer) {
            (Ok(came), Ok(text)) | (Err(came), Err(text)) => (came, here(text)?),
            (Ok(came) | Err(came), Ok(text) | Err(text)) => return otherwise(&came, &here(text)?, ""),
        };
        let typed = if self.answer.is_ok() { Some(&came) } else { came.get("data") };
        if let Some(Err(error)) = typed.map(|typed| (self.reads)(typed.clone())) {
            return otherwise(&came, &expected, &format!(": {error}"));
        }
        for pointer in self.varies {
            if let (Some(came), Some(expected)) = (came.pointer_mut(pointer), expected.pointer_mut(pointer)) {
                came.take();
                expected.take();
            }
        }
        if same(&came, &expected) { Ok(()) } else { otherwise(&came, &expected, "") }
    }
}

/// A value in which what the document made up is what stands for it here.
#[allow(dead_code, reason = "few documents have no example")]
fn stood_in(
    value: ::serde_json::Value,
    stand_ins: &[(::serde_json::Value, ::serde_json::Value)],
) -> ::serde_json::Value {
    use ::serde_json::Value;
    if let Some((_, here)) = stand_ins.iter().find(|(made_up, _)| *made_up == value) {
        return here.clone();
    }
    match value {
        Value::Array(items) => items.into_iter().map(|item| stood_in(item, stand_ins)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, member)| (name, stood_in(member, stand_ins))).collect()
        }
        value => value,
    }
}

/// Whether a value is one of a type, and all of it is: written again it is the same.
#[allow(dead_code, reason = "few documents have no example")]
fn reads<T: ::serde::Serialize + ::serde::de::DeserializeOwned>(
    value: ::serde_json::Value,
) -> Result<(), ::serde_json::Error> {
    let written = ::serde_json::to_value(::serde_json::from_value::<T>(value.clone())?)?;
    if same(&written, &value) {
        return Ok(());
    }
    Err(::serde::de::Error::custom(format_args!("its type reads it as {written}")))
}
