export { createProgram, EXIT, type Program } from './program.ts';
