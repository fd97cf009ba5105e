export { RULES, type Rule, without } from './rules.ts';
export { type Verdict, World } from './world.ts';
