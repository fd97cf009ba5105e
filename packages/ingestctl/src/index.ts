export { commandFault, commandPaths, createProgram, EXIT, type Program } from './program.ts';
