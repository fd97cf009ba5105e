/** One instruction of a Dockerfile: its keyword in upper case, and the rest with continued lines joined. */
export interface Instruction {
  readonly keyword: string;
  readonly text: string;
}

/** One build stage. */
export interface Stage {
  readonly name: string;
  /** The stage or image that it starts from. */
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

/** Reads the stages of a Dockerfile; each must be named. Heredocs and parser directives that change the escape are not known. */
export function readStages(text: string): Stage[] {
  const stages: { name: string; from: string; instructions: Instruction[] }[] = [];
  for (const instruction of readInstructions(text)) {
    if (instruction.keyword !== 'FROM') {
      const last = stages.at(-1);
      if (last === undefined) throw new SyntaxError(`${instruction.keyword} before the first FROM`);
      last.instructions.push(instruction);
      continue;
    }
    const match = /^(\S+)\s+AS\s+(\S+)$/.exec(instruction.text);
    if (match === null) throw new SyntaxError(`a stage without a name: FROM ${instruction.text}`);
    stages.push({ from: match[1]!, name: match[2]!, instructions: [] });
  }
  return stages;
}

function readInstructions(text: string): Instruction[] {
  const joined = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replaceAll(/\s*\\\n\s*/g, ' ');
  return joined
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const at = line.indexOf(' ');
      return { keyword: line.slice(0, at).toUpperCase(), text: line.slice(at + 1).trim() };
    });
}

/** A stage and all that it starts from, the outermost image left out, first the deepest. */
export function stageChain(stages: readonly Stage[], name: string): Stage[] {
  const stage = stages.find((candidate) => candidate.name === name);
  return stage === undefined ? [] : [...stageChain(stages, stage.from), stage];
}

/** Instructions of a stage's chain, in the order in which they are carried out. */
export function chainInstructions(stages: readonly Stage[], name: string): Instruction[] {
  return stageChain(stages, name).flatMap((stage) => stage.instructions);
}
