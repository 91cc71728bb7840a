import { PGlite, protocol, type QueryOptions, type Results, type Transaction } from '@electric-sql/pglite';

/** A statement that PostgreSQL has parsed, and what it said about it. */
interface Statement {
  readonly name: string;
  readonly parameterTypes: readonly number[];
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
}

/** Prisma's statements differ by the length of their lists; the oldest give way. */
const MAX_STATEMENTS = 256;

const { CommandCompleteMessage, DataRowMessage, ParameterDescriptionMessage, RowDescriptionMessage } =
  protocol.messages;

/**
 * PGlite that parses a statement once. PGlite itself parses, describes, binds and executes every query anew, in five
 * calls into WebAssembly; here a known statement is one call of bind + execute + sync (PostgreSQL's extended query
 * protocol, "Message Flow"), about a third of the time. Committing is untouched.
 */
export class PreparedPGlite extends PGlite {
  /** Oldest use first. */
  readonly #statements = new Map<string, Statement>();
  #named = 0;

  override async query<T>(sql: string, params?: unknown[], options?: QueryOptions): Promise<Results<T>> {
    await this._checkReady();
    return this._runExclusiveTransaction(() => this.#run<T>(sql, params ?? [], options));
  }

  override async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return super.transaction((tx) => {
      const query = <R>(sql: string, params?: unknown[], options?: QueryOptions): Promise<Results<R>> => {
        if (tx.closed) throw new Error('Transaction is closed');
        return this.#run<R>(sql, params ?? [], options);
      };
      return work(Object.assign(Object.create(tx) as Transaction, { query }));
    });
  }

  #run<T>(sql: string, params: readonly unknown[], options: QueryOptions | undefined): Promise<Results<T>> {
    return this._runExclusiveQuery(async () => {
      const { name, parameterTypes, fields } = await this.#prepared(sql);
      const values = params.map((value, index) => this.#wireValue(value, parameterTypes[index] ?? 0));
      const messages = await this.#exchange(
        protocol.serialize.bind({ statement: name, values }),
        protocol.serialize.execute({}),
      );
      const rows: unknown[] = [];
      let affectedRows = 0;
      for (const message of messages) {
        if (message instanceof DataRowMessage) {
          const cells = message.fields;
          const parsed = cells.map((cell, column) => this.#parsed(cell, fields[column]!.dataTypeID, options));
          rows.push(
            options?.rowMode === 'array'
              ? parsed
              : Object.fromEntries(parsed.map((value, column) => [fields[column]!.name, value])),
          );
        } else if (message instanceof CommandCompleteMessage) {
          affectedRows = countOf(message.text);
        }
      }
      return { rows: rows as Results<T>['rows'], fields: [...fields], affectedRows };
    });
  }

  async #prepared(sql: string): Promise<Statement> {
    const known = this.#statements.get(sql);
    if (known !== undefined) {
      this.#statements.delete(sql);
      this.#statements.set(sql, known);
      return known;
    }
    const name = `chorale_${this.#named++}`;
    const messages = await this.#exchange(
      protocol.serialize.parse({ name, text: sql }),
      protocol.serialize.describe({ type: 'S', name }),
    );
    let parameterTypes: number[] = [];
    let fields: Statement['fields'] = [];
    for (const message of messages) {
      if (message instanceof ParameterDescriptionMessage) {
        parameterTypes = message.dataTypeIDs;
      } else if (message instanceof RowDescriptionMessage) {
        fields = message.fields.map(({ name, dataTypeID }) => ({
          name,
          dataTypeID,
        }));
      }
    }
    const statement = { name, parameterTypes, fields };
    this.#statements.set(sql, statement);
    const [oldest] = this.#statements;
    if (this.#statements.size > MAX_STATEMENTS && oldest !== undefined) {
      this.#statements.delete(oldest[0]);
      await this.#exchange(protocol.serialize.close({ type: 'S', name: oldest[1].name }));
    }
    return statement;
  }

  /** One round trip. Throws the server's DatabaseError; what follows the failed message is skipped up to the sync. */
  async #exchange(...parts: readonly Uint8Array[]): Promise<readonly unknown[]> {
    return (await this.execProtocol(Buffer.concat([...parts, protocol.serialize.sync()]))).messages;
  }

  /** Bytes travel in binary, everything else as PGlite writes it. */
  #wireValue(value: unknown, type: number): string | Uint8Array | null {
    if (value === null || value === undefined) return null;
    if (value instanceof Uint8Array) return value;
    const serializer = this.serializers[type];
    return serializer === undefined ? String(value) : serializer(value);
  }

  #parsed(cell: string | null, type: number, options: QueryOptions | undefined): unknown {
    if (cell === null) return null;
    const parser = options?.parsers?.[type] ?? this.parsers[type];
    return parser === undefined ? cell : parser(cell, type);
  }
}

/** The count in a command's tag: `INSERT 0 3`, `UPDATE 2`; reading changes nothing. */
function countOf(tag: string): number {
  return /^(INSERT|UPDATE|DELETE|MERGE|COPY)/.test(tag) ? Number(tag.slice(tag.lastIndexOf(' ') + 1)) : 0;
}
