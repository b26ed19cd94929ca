/** One record of an event log, whatever shape it was exported in. */

type Json = Readonly<Record<string, unknown>>;

const asObject = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null ? (value as Json) : undefined;

/** evtx_dump writes an element with attributes as an object of both. */
const textPart = (value: unknown): unknown => asObject(value)?.['#text'] ?? value;
const attribute = (value: unknown, name: string): unknown =>
  asObject(asObject(value)?.['#attributes'])?.[name] ?? asObject(value)?.[name];

/** What stands around an event's own fields. */
interface Envelope {
  readonly data: Json;
  readonly provider: unknown;
  readonly event: unknown;
  readonly channel: unknown;
  readonly host: unknown;
  readonly time: unknown;
}

/** Flat (NXLog, Security-Datasets), `Event.System` (evtx_dump) or `winlog` (Winlogbeat). */
function envelopeOf(record: Json): Envelope {
  const system = asObject(asObject(record.Event)?.System);
  if (system !== undefined) {
    return {
      data: asObject(asObject(record.Event)?.EventData) ?? {},
      provider: attribute(system.Provider, 'Name'),
      event: textPart(system.EventID),
      channel: system.Channel,
      host: system.Computer,
      time: attribute(system.TimeCreated, 'SystemTime'),
    };
  }
  const winlog = asObject(record.winlog);
  if (winlog !== undefined) {
    return {
      data: asObject(winlog.event_data) ?? {},
      provider: winlog.provider_name,
      event: winlog.event_id,
      channel: winlog.channel,
      host: winlog.computer_name,
      time: record['@timestamp'],
    };
  }
  return {
    data: record,
    provider: record.SourceName ?? record.ProviderName ?? record.Provider,
    event: record.EventID ?? record.EventId ?? record.Id,
    channel: record.Channel ?? record.LogName,
    host: record.Hostname ?? record.Computer ?? record.MachineName,
    time: record.TimeCreated ?? record['@timestamp'] ?? record.EventTime,
  };
}

/** A moment: whole ms since 1970, and what is left, ns. */
export interface Moment {
  readonly ms: number;
  readonly ns: number;
}

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?\s*(Z|[+-]\d\d:?\d\d)?$/;
/** What ConvertTo-Json makes of a DateTime. */
const DATE = /^\/Date\((\d{1,15})\)\/$/;

/** A time as event logs write it; one without a zone is UTC. */
export function momentOf(value: unknown): Moment | undefined {
  if (typeof value !== 'string') return undefined;
  const date = DATE.exec(value);
  if (date !== null) return { ms: Number(date[1]), ns: 0 };
  const iso = ISO.exec(value);
  if (iso === null) return undefined;
  const [year, month, day, hour, minute, second] = iso.slice(1, 7).map(Number) as number[] &
    [number, number, number, number, number, number];
  const fraction = (iso[7] ?? '').padEnd(9, '0');
  const ms = Date.UTC(year, month - 1, day, hour, minute, second, Number(fraction.slice(0, 3)));
  const valid = month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60;
  if (!valid || second > 60) return undefined;
  return { ms: ms - zoneMs(iso[8]), ns: Number(fraction.slice(3)) };
}

function zoneMs(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone[0] === '-' ? -minutes : minutes) * 60_000;
}

const NUMBER = /^(?:0[xX]([0-9a-fA-F]{1,16})|(\d{1,20}))$/;

/** An unsigned number as event logs write it: decimal, 0x… or a JSON number. */
function numberOf(value: unknown): bigint | undefined {
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined;
  }
  const match = typeof value === 'string' ? NUMBER.exec(value.trim()) : null;
  if (match === null) return undefined;
  return match[1] === undefined ? BigInt(match[2] as string) : BigInt(`0x${match[1]}`);
}

const GUID = /^\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?$/i;
const NO_GUID = /^[0-]*$/;

/** One record's fields. A field that is absent, empty or `-` is undefined. */
export class Fields {
  readonly provider: string;
  readonly event: string;
  readonly host: string | undefined;
  /** What its order is by: a log keeps its events in order. */
  readonly channel: string;
  readonly #envelope: Envelope;

  constructor(record: Json) {
    this.#envelope = envelopeOf(record);
    const { provider, event, host, channel } = this.#envelope;
    this.provider = typeof provider === 'string' ? provider : '';
    this.event = typeof event === 'string' || typeof event === 'number' ? String(event) : '';
    this.host = typeof host === 'string' && host !== '' ? host : undefined;
    this.channel = typeof channel === 'string' ? channel : this.provider;
  }

  /** When it was logged; else when it happened, as Sysmon has it. */
  get moment(): Moment | undefined {
    return momentOf(this.#envelope.time) ?? momentOf(this.#envelope.data.UtcTime);
  }

  text(name: string): string | undefined {
    const value = textPart(this.#envelope.data[name]);
    return typeof value === 'string' && value !== '' && value !== '-' ? value : undefined;
  }

  /** A number of 32 bits. */
  number(name: string): number | undefined {
    const value = numberOf(textPart(this.#envelope.data[name]));
    return value !== undefined && value <= 0xffff_ffffn ? Number(value) : undefined;
  }

  address(name: string): bigint | undefined {
    const value = numberOf(textPart(this.#envelope.data[name]));
    return value !== undefined && value < 2n ** 64n ? value : undefined;
  }

  /** In lower case and without braces. */
  guid(name: string): string | undefined {
    const guid = GUID.exec(this.text(name) ?? '')?.[1]?.toLowerCase();
    return guid === undefined || NO_GUID.test(guid) ? undefined : guid;
  }
}
