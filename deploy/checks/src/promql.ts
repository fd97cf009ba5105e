import type { SyntaxNodeRef } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

/** One series selector of an expression: the metric and the labels that it matches on. */
export interface Selector {
  readonly metric: string;
  readonly labels: readonly string[];
}

/** What an expression reads. */
export interface PromqlUse {
  readonly selectors: readonly Selector[];
  /** Labels named in `by`, `without`, `on` and `ignoring`. */
  readonly groupings: readonly string[];
}

/** Grafana's own variables, by something of the same kind, so that Prometheus's grammar can read the expression. */
const GRAFANA_VARIABLES: readonly (readonly [RegExp, string])[] = [
  [/\$__(rate_)?interval|\$__range|\$\{__(rate_)?interval\}/g, '5m'],
  [/\$\{?[a-z_]+(:[a-z]+)?\}?/g, 'value'],
];

/** Reads an expression with Prometheus's own grammar; throws a SyntaxError where it is not PromQL. */
export function readPromql(expression: string): PromqlUse {
  const text = GRAFANA_VARIABLES.reduce((last, [pattern, value]) => last.replace(pattern, value), expression);
  const selectors: { metric: string; labels: string[] }[] = [];
  const groupings: string[] = [];
  const wordOf = (node: SyntaxNodeRef) => text.slice(node.from, node.to);
  parser.parse(text).iterate({
    enter: (node) => {
      if (node.type.isError) throw new SyntaxError(`not PromQL at character ${node.from}: ${expression}`);
      if (node.name === 'VectorSelector') selectors.push({ metric: '', labels: [] });
      const last = selectors.at(-1);
      if (node.name === 'Identifier' && last !== undefined && last.metric === '') last.metric = wordOf(node);
      if (node.name === 'LabelName') {
        const matches = node.matchContext(['LabelMatchers', 'UnquotedLabelMatcher']);
        if (matches) last?.labels.push(wordOf(node));
        else groupings.push(wordOf(node));
      }
    },
  });
  return { selectors, groupings };
}
