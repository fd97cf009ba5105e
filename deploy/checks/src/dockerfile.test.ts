import { expect, test } from 'vitest';
import { chainInstructions, readStages } from './dockerfile.ts';

const TEXT = `# first
FROM node:26 AS base
WORKDIR /weir
FROM base AS tree
RUN one \\
    two
COPY a b
`;

test('stages are read with what they start from, comments dropped and continued lines joined', () => {
  const stages = readStages(TEXT);
  expect(stages.map((stage) => [stage.from, stage.name])).toEqual([
    ['node:26', 'base'],
    ['base', 'tree'],
  ]);
  expect(chainInstructions(stages, 'tree')).toEqual([
    { keyword: 'WORKDIR', text: '/weir' },
    { keyword: 'RUN', text: 'one two' },
    { keyword: 'COPY', text: 'a b' },
  ]);
});

test('a stage without a name is refused', () => {
  expect(() => readStages('FROM node:26\n')).toThrow('a stage without a name');
});
