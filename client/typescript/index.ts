export * from "./circles.ts";
export * from "./login.ts";
