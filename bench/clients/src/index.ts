export { ANSWER_CASES, type AnswerCase } from './answer-case.ts';
export { type Measured, measureClient } from './measure.ts';
export { SDK_CLIENTS, type SdkClient } from './sdk-client.ts';
