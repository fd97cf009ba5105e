/** All of them, another one first each time. */
export const turned = <T>(all: readonly T[], by: number): T[] => all.map((_, index) => all[(index + by) % all.length]!);
