export { installOnce, mustRun, pythonTools, REPOSITORY, run, TOOL_CACHE } from './tool-cache.ts';
