export { Engine, type EngineRow } from './engine/engine.ts';
