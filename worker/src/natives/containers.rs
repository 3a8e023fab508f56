//! Arrays, blobs and maps that grow in one step.

use rhai::{Array, Blob, Dynamic, EvalAltResult, FuncRegistration, ImmutableString, Map, Module};

use super::{Checked, Natives as _, charge, missing};
use crate::{
    play::{Play, Stop},
    value::{Unfit, map_to_json},
};

/// Bytes that the values take from which a byte of JSON is made, at most.
const JSON_GROWTH: usize = 16;

pub fn register(module: &mut Module) {
    module.native("blob", |length: i64| blob(length, 0));
    module.native("blob", blob);
    module.native("pad", |blob: &mut Blob, length: i64, with: i64| -> Checked<()> {
        if let Some(missing) = missing(blob.len(), length) {
            charge(missing)?;
            blob.resize(blob.len() + missing, low_byte(with));
        }
        Ok(())
    });
    module.native("pad", pad);
    FuncRegistration::new("to_array").with_purity(true).set_into_module(
        module,
        |blob: &mut Blob| -> Checked<Array> {
            charge(blob.len().saturating_mul(size_of::<Dynamic>()))?;
            Ok(blob.iter().map(|byte| Dynamic::from(i64::from(*byte))).collect())
        },
    );
    FuncRegistration::new("to_json").with_purity(true).set_into_module(module, to_json);
}

fn pad(array: &mut Array, length: i64, with: Dynamic) -> Checked<()> {
    let Some(missing) = missing(array.len(), length) else { return Ok(()) };
    charge(missing.saturating_mul(size_of::<Dynamic>()))?;
    array.reserve(missing);
    // What each copy holds beyond itself is not known before, so it is looked at after each.
    for _ in 0..missing {
        charge(0)?;
        Play::current().map_or(Ok(()), |play| play.look_at_tick())?;
        array.push(with.clone());
    }
    Ok(())
}

fn blob(length: i64, with: i64) -> Checked<Blob> {
    let length = usize::try_from(length).unwrap_or(0);
    charge(length)?;
    Ok(vec![low_byte(with); length])
}

/// As Rhai fills blobs.
const fn low_byte(value: i64) -> u8 {
    (value & 0xff) as u8
}

fn to_json(map: &mut Map) -> Checked<ImmutableString> {
    let Some(play) = Play::current() else { return Ok(ImmutableString::new()) };
    let json = map_to_json(map, play.room() / JSON_GROWTH, play.limits.result_depth);
    match json {
        Ok(json) => Ok(json.to_string().into()),
        Err(Unfit::Limit("result_bytes")) => Err(play.stop(Stop::Limit("memory_bytes"))),
        Err(Unfit::Limit(name)) => Err(play.stop(Stop::Limit(name))),
        Err(Unfit::Type { name, path }) => {
            let message = format!("no JSON form: {path} is a {name}");
            Err(EvalAltResult::ErrorRuntime(message.into(), rhai::Position::NONE).into())
        }
    }
}
