export { type IncidentOptions, type IncidentResult, playIncident } from './incident.ts';
export { renderIncident } from './incident-page.ts';
export { IncidentStack } from './incident-stack.ts';
export { incidentFaults } from './judge-incident.ts';
