export { commandFault, createProgram, EXIT, type Program } from './program.ts';
