/** What a file is that is not ftrace text, told by its first bytes, and how to get text from it. */
import { bytesOf, startsWith } from './bytes';

export const HEAD_SNIFF_BYTES = 512;

export interface NotARecording {
  readonly problem: string;
  readonly remedy: string;
}

const TRACE_DAT = Uint8Array.from([0x17, 0x08, 0x44, ...bytesOf('tracing')]);
const ZSTD = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd]);
const PERF_DATA = bytesOf('PERFILE2');

/** Formats that no text can be taken for. */
export function binaryKind(head: Uint8Array): NotARecording | undefined {
  if (startsWith(head, 0, head.length, TRACE_DAT)) {
    return {
      problem: 'this is a binary trace-cmd file',
      remedy: 'run `trace-cmd report` and read its output',
    };
  }
  if (startsWith(head, 0, head.length, PERF_DATA)) {
    return {
      problem: 'this is a perf.data file, not ftrace text',
      remedy: 'record with examples/recordings/record.sh or trace-cmd',
    };
  }
  if (head[0] === 0x1f && head[1] === 0x8b) {
    return { problem: 'the text is still compressed with gzip', remedy: 'decompress it first' };
  }
  if (startsWith(head, 0, head.length, ZSTD)) {
    return { problem: 'the text is compressed with zstd', remedy: 'decompress it first' };
  }
  return undefined;
}

/** For a file in which no event was found. */
export function textKind(head: Uint8Array): NotARecording {
  const first = head.find((byte) => byte > 0x20);
  if (head.includes(0)) {
    if (head[0] === 0x0a) {
      return {
        problem: 'this is binary data, perhaps a Perfetto trace',
        remedy: 'run `traceconv systrace` and read its output',
      };
    }
    return {
      problem: 'this is binary data, not ftrace text',
      remedy: 'give the text of tracefs `trace` or of `trace-cmd report`',
    };
  }
  if (first === 0x7b || first === 0x5b) {
    return {
      problem: 'this is JSON, not ftrace text',
      remedy: 'give the text of tracefs `trace` or of `trace-cmd report`',
    };
  }
  return {
    problem: 'there is no ftrace event in it',
    remedy: 'give the text of tracefs `trace` or of `trace-cmd report`',
  };
}
