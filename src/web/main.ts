import {
  MachineError,
  RecordingError,
  type RecordingReplay,
  type Replay,
  replayRecording,
} from '../index';
import { byId, chip, element } from './elements';
import { type PageInput, recordingText, shippedRecording } from './input';
import { Schedule } from './schedule';
import { duration, positionOf, spanOf, zoomOf } from './span';
import { fillOverall, fillThreads, notesOf, POLICY_NAMES } from './tables';
import { Cast, Numbers, type ShownProcess, type ShownThread } from './threads';
import { type Pointed, Timeline } from './timeline';

/** The page: one recording, replayed under each policy; one policy shown, one thread or process chosen. */

interface Shown {
  readonly outcome: RecordingReplay;
  readonly cast: Cast;
  /** By policy, as in the outcome's reports. */
  readonly schedules: readonly Schedule[];
  readonly numbers: readonly Numbers[];
}

const LEGEND_MAX = 10;

const timeline = new Timeline(byId('canvas', 'timeline'));
const status = byId('p', 'status');
const progress = byId('progress', 'progress');
const processors = byId('input', 'processors');
const profile = byId('select', 'profile');
const again = byId('button', 'again');
const zoom = byId('input', 'zoom');
const position = byId('input', 'position');
const filter = byId('input', 'filter');

let input: PageInput | undefined;
let running = new AbortController();
let shown: Shown | undefined;
let policy = 0;
let chosen: ShownThread | ShownProcess | undefined;

function say(text: string, isFailure = false): void {
  status.textContent = text;
  status.classList.toggle('failed', isFailure);
}

async function run(given: PageInput, signal: AbortSignal): Promise<Shown> {
  const schedules: Schedule[] = [];
  const replays: Replay[] = [];
  const text = recordingText(given, signal, (share) => {
    progress.value = share;
  });
  const outcome = await replayRecording(text, {
    name: given.name,
    profile: profile.value === 'server' ? 'server' : 'client',
    ...(processors.value === '' ? {} : { processors: processors.valueAsNumber }),
    top: 0,
    onStart: (all) => {
      replays.push(...all);
      schedules.push(...all.map((replay) => new Schedule(replay)));
    },
  });
  outcome.reports.forEach(({ endNs }, index) => {
    schedules[index]?.finish(endNs);
  });
  const cast = new Cast(outcome);
  const numbers = replays.map((replay) => new Numbers(cast, replay));
  return { outcome, cast, schedules, numbers };
}

async function replay(given: PageInput): Promise<void> {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  input = given;
  progress.value = 0;
  progress.hidden = false;
  say(`Replaying ${given.name} …`);
  const startMs = performance.now();
  try {
    shown = await run(given, signal);
    chosen = undefined;
    const { recording, reports } = shown.outcome;
    const switches = reports.reduce(
      (sum, { overall }) => sum + overall.voluntarySwitches + overall.involuntarySwitches,
      0,
    );
    say(
      `${recording.name}: ${duration(recording.durationNs)} on ${recording.cpus} processors, ${recording.threads.length} threads of ${recording.processes.length} processes; ${switches} context switches replayed in ${duration((performance.now() - startMs) * 1e6, 2)}.`,
    );
    byId('div', 'results').hidden = false;
    show();
  } catch (error) {
    if (signal.aborted) return;
    const isExpected = error instanceof RecordingError || error instanceof MachineError;
    say(isExpected ? error.message : `${String(error)}`, true);
    if (!isExpected) console.error(error);
  }
  progress.hidden = true;
  again.disabled = false;
}

/** Draws everything anew, for another recording or policy. */
function show(): void {
  if (shown === undefined) return;
  const { outcome, schedules, numbers } = shown;
  const schedule = schedules[policy] as Schedule;
  fillOverall(byId('table', 'overall'), outcome, policy);
  const notes = notesOf(outcome);
  byId('summary', 'notes-title').textContent = `About this recording (${notes.length} notes)`;
  if (schedule.left > 0) notes.push(`The timeline leaves out the last ${schedule.left} runs.`);
  byId('ul', 'notes').replaceChildren(...notes.map((note) => element('li', {}, note)));
  byId('fieldset', 'policies').replaceChildren(
    element('legend', {}, 'Policy'),
    ...outcome.reports.map((report, index) => {
      const radio = element('input', { type: 'radio', name: 'policy', checked: index === policy });
      radio.addEventListener('change', () => {
        policy = index;
        show();
      });
      return element('label', {}, radio, POLICY_NAMES[report.policy]);
    }),
  );
  timeline.show(schedule, (number) => (numbers[policy] as Numbers).look(number));
  showChoice();
}

function pick(next: ShownThread | ShownProcess | undefined): void {
  chosen = next === chosen ? undefined : next;
  showChoice();
  timeline.reveal();
}

/** Draws what depends on the chosen thread or process. */
function showChoice(): void {
  if (shown === undefined) return;
  const { cast, outcome } = shown;
  const numbers = shown.numbers[policy] as Numbers;
  timeline.choose(
    chosen === undefined
      ? undefined
      : (number) => {
          const thread = numbers.thread(number);
          return thread !== undefined && (thread === chosen || thread.process === chosen);
        },
  );
  const others = cast.processes.length - LEGEND_MAX;
  byId('div', 'legend').replaceChildren(
    ...cast.busiest.slice(0, LEGEND_MAX).map((process) => {
      const ran = `${process.name} ${process.tgid}: ${duration(process.runNs, 2)}`;
      const button = element('button', { type: 'button' }, chip(process.colour), ran);
      button.ariaPressed = `${process === chosen}`;
      button.addEventListener('click', () => pick(process));
      return button;
    }),
    ...(chosen === undefined ? [] : [showAll()]),
    ...(others > 0 ? [element('span', {}, `and ${others} others in grey`)] : []),
  );
  const listed = fillThreads(
    byId('table', 'threads'),
    cast,
    numbers,
    outcome.reports[policy]?.policy ?? 'nt',
    filter.value,
    { chosen, pick },
  );
  byId('span', 'listed').textContent =
    `${listed} of ${cast.threads.length}, those that ran longest first`;
}

function showAll(): HTMLElement {
  const button = element('button', { type: 'button' }, 'Show all');
  button.addEventListener('click', () => pick(undefined));
  return button;
}

function describe({ processor, atNs, run }: Pointed): string {
  const where = `CPU ${processor} at ${(atNs / 1e9).toFixed(6)} s`;
  if (run === undefined) return `${where}: idle`;
  const thread = shown?.numbers[policy]?.thread(run.thread);
  const ran = `ran ${duration(run.endNs - run.startNs)} from ${(run.startNs / 1e9).toFixed(6)} s`;
  if (thread === undefined) return `${where}: a thread of the system ${ran}`;
  return `${where}: ${thread.name} (${thread.tid}) of ${thread.process.name} (${thread.process.tgid}) ${ran}`;
}

timeline.onChange = () => {
  zoom.valueAsNumber = zoomOf(timeline.span, timeline.endNs);
  position.valueAsNumber = positionOf(timeline.span, timeline.endNs);
};
timeline.onPoint = (pointed) => {
  byId('output', 'readout').textContent = pointed === undefined ? '' : describe(pointed);
};
timeline.onPick = ({ run }) => {
  pick(run === undefined ? undefined : shown?.numbers[policy]?.thread(run.thread));
};
zoom.addEventListener('input', () => timeline.zoomTo(zoom.valueAsNumber));
position.addEventListener('input', () => {
  const { fromNs, toNs } = timeline.span;
  const length = toNs - fromNs;
  timeline.move(spanOf(position.valueAsNumber * (timeline.endNs - length), length, timeline.endNs));
});
byId('button', 'whole').addEventListener('click', () => timeline.zoomTo(0));
filter.addEventListener('input', showChoice);

byId('form', 'options').addEventListener('submit', (event) => {
  event.preventDefault();
  if (input !== undefined) void replay(input);
});
byId('button', 'shipped').addEventListener('click', () => {
  shippedRecording().then(replay, (error: Error) => say(error.message, true));
});
const file = byId('input', 'file');
file.addEventListener('change', () => {
  const [content] = file.files ?? [];
  if (content !== undefined) void replay({ name: content.name, content });
});
addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.classList.add('dropping');
});
addEventListener('dragleave', () => document.body.classList.remove('dropping'));
addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('dropping');
  const [content] = event.dataTransfer?.files ?? [];
  if (content !== undefined) void replay({ name: content.name, content });
});
