/** Params by position; what is absent at the end is left out, what is absent before it is null. */
function positions(params: unknown[]): unknown[] {
  const given = params.map((param) => (param === undefined ? null : param));
  const last = params.reduce((last: number, param, index) => (param === undefined ? last : index), -1);
  return given.slice(0, last + 1);
}
