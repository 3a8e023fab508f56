//! Arrays, blobs and maps that grow in one step.

use rhai::{Array, Blob, Dynamic, FuncRegistration, ImmutableString, Map, Module};

use super::{
    Checked, Frame, Natives as _, charge, missing, throw,
    value::{Unfit, map_to_json},
};
use crate::play::Stop;

/// Bytes of the values behind a byte of JSON, at most.
const JSON_GROWTH: usize = 16;

pub(crate) fn register(module: &mut Module) {
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
    // The bytes that a copy holds beyond itself are known only after it is made.
    for _ in 0..missing {
        charge(0)?;
        Frame::current().map_or(Ok(()), |frame| frame.play.meter.check_at_tick())?;
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
    let Some(frame) = Frame::current() else { return Ok(ImmutableString::new()) };
    let meter = &frame.play.meter;
    let json = map_to_json(map, meter.available_bytes() / JSON_GROWTH, frame.play.limits.result_depth);
    match json {
        Ok(json) => Ok(json.to_string().into()),
        Err(Unfit::Limit("result_bytes")) => Err(meter.stop(Stop::Limit("memory_bytes")).into()),
        Err(Unfit::Limit(name)) => Err(meter.stop(Stop::Limit(name)).into()),
        Err(Unfit::Type { name, path }) => Err(throw(format!("no JSON form: {path} is a {name}"))),
    }
}
