/** Params by position. Absent ones at the end are left out, others are null. */
function positions(params: unknown[]): unknown[] {
  const given = params.map((param) => (param === undefined ? null : param));
  const last = params.reduce((last: number, param, index) => (param === undefined ? last : index), -1);
  return given.slice(0, last + 1);
}
