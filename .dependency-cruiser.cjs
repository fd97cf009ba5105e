// Who may import whom (docs/ARCHITECTURE.md). Tests may import what they test with.
const CORE = '(pipeline|otlp|native|records|delivery|flow|tenancy|normalize)';
const ADAPTERS = '(kafka|clickhouse|telemetry|process)';
const TOOLS = '(ingestctl|testkit)';
const TEST = '[.]test[.]ts$|/test/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'core-imports-core',
      severity: 'error',
      from: { path: `^packages/${CORE}/src`, pathNot: TEST },
      to: { path: `^(packages/(${ADAPTERS}|${TOOLS})|services|deploy|bench)/` },
    },
    {
      name: 'adapters-import-core',
      comment: 'process stands on telemetry: a service process has a logger and metrics',
      severity: 'error',
      from: { path: `^packages/${ADAPTERS}/src`, pathNot: TEST },
      to: { path: `^(packages/${TOOLS}|services|deploy|bench)/` },
    },
    {
      name: 'services-do-not-import-services-or-tools',
      severity: 'error',
      from: { path: '^services/([^/]+)/src', pathNot: TEST },
      to: { path: `^(services/(?!$1/)|packages/${TOOLS}/|deploy|bench)` },
    },
    {
      name: 'a-stage-imports-no-other-stage',
      severity: 'error',
      from: { path: '^services/([^/]+)/src/([^/]+)/', pathNot: TEST },
      to: { path: '^services/$1/src/(?!$2/)[^/]+/' },
    },
    {
      name: 'tools-do-not-import-services',
      severity: 'error',
      from: { path: `^packages/${TOOLS}/src`, pathNot: TEST },
      to: { path: '^services/' },
    },
    {
      name: 'one-public-entry',
      comment:
        'a package is imported by its name, through its index.ts; testkit has a second entry that only vitest can load',
      severity: 'error',
      from: { path: '^(packages|services|deploy|bench)/([^/]+)/' },
      to: { path: '^(packages|services)/(?!$2/)[^/]+/src/(?!index[.]ts$|stack/shared-stack[.]ts$)' },
    },
    { name: 'no-circles', severity: 'error', from: { pathNot: TEST }, to: { circular: true } },
    {
      name: 'no-undeclared-packages',
      severity: 'error',
      from: { path: '^(packages|services|bench)/[^/]+/src', pathNot: TEST },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/generated/|docs/examples|deploy/docker' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js', '.cjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node'],
    },
  },
};
