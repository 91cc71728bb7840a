-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "Participant" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "publicKey" TEXT NOT NULL,
    "declaredRecords" INTEGER NOT NULL,
    "status" TEXT NOT NULL,
    "enrolledAt" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "Participant_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Charter" (
    "digest" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "body" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "Charter_pkey" PRIMARY KEY ("digest")
);

-- CreateTable
CREATE TABLE "CharterSignature" (
    "charterDigest" TEXT NOT NULL,
    "participantId" TEXT NOT NULL,
    "signature" TEXT NOT NULL,
    "signedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "CharterSignature_pkey" PRIMARY KEY ("charterDigest","participantId")
);

-- CreateTable
CREATE TABLE "Run" (
    "id" TEXT NOT NULL,
    "charterDigest" TEXT NOT NULL,
    "synthesizer" TEXT NOT NULL,
    "options" JSONB NOT NULL,
    "seed" TEXT NOT NULL,
    "plan" JSONB NOT NULL,
    "planDigest" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "proposedBy" TEXT NOT NULL,
    "approvedBy" TEXT,
    "step" INTEGER NOT NULL,
    "totalSteps" INTEGER NOT NULL,
    "stateDigest" TEXT,
    "releaseDigest" TEXT,
    "reason" TEXT,
    "progress" JSONB NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "finishedAt" TIMESTAMPTZ(3),

    CONSTRAINT "Run_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Block" (
    "id" TEXT NOT NULL,
    "runId" TEXT NOT NULL,
    "phase" TEXT NOT NULL,
    "config" JSONB NOT NULL,
    "slots" INTEGER NOT NULL,
    "nextSlot" INTEGER NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "Block_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Round" (
    "id" TEXT NOT NULL,
    "runId" TEXT NOT NULL,
    "step" INTEGER NOT NULL,
    "attempt" INTEGER NOT NULL,
    "blockId" TEXT NOT NULL,
    "slot" INTEGER NOT NULL,
    "phase" TEXT NOT NULL,
    "query" JSONB NOT NULL,
    "queryDigest" TEXT NOT NULL,
    "modelDigest" TEXT NOT NULL,
    "expected" TEXT[],
    "survivors" JSONB,
    "maskedSumDigest" TEXT,
    "abortReason" TEXT,
    "bytesReceived" JSONB NOT NULL,
    "timings" JSONB NOT NULL,
    "openedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "closedAt" TIMESTAMPTZ(3),

    CONSTRAINT "Round_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "Message" (
    "blockId" TEXT NOT NULL,
    "slot" INTEGER NOT NULL,
    "phase" INTEGER NOT NULL,
    "participantId" TEXT NOT NULL,
    "body" BYTEA NOT NULL,
    "contentDigest" TEXT NOT NULL,
    "receivedAt" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "Message_pkey" PRIMARY KEY ("blockId","slot","phase","participantId")
);

-- CreateTable
CREATE TABLE "Budget" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "epsilon" DOUBLE PRECISION NOT NULL,
    "delta" DOUBLE PRECISION NOT NULL,
    "orders" DOUBLE PRECISION[],
    "spent" TEXT[],
    "reserved" TEXT[],
    "entries" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "Budget_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "LedgerEntry" (
    "roundId" TEXT NOT NULL,
    "sequence" INTEGER NOT NULL,
    "runId" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "reservedEvent" JSONB NOT NULL,
    "reservedUnits" TEXT[],
    "committedEvent" JSONB,
    "committedUnits" TEXT[],
    "epsilonAfter" DOUBLE PRECISION,
    "reason" TEXT,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "settledAt" TIMESTAMPTZ(3),

    CONSTRAINT "LedgerEntry_pkey" PRIMARY KEY ("roundId")
);

-- CreateTable
CREATE TABLE "AccessToken" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "tokenHash" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "revokedAt" TIMESTAMPTZ(3),

    CONSTRAINT "AccessToken_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "IdempotencyRecord" (
    "actor" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "requestDigest" TEXT NOT NULL,
    "response" JSONB NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "IdempotencyRecord_pkey" PRIMARY KEY ("actor","key")
);

-- CreateIndex
CREATE UNIQUE INDEX "Participant_publicKey_key" ON "Participant"("publicKey");

-- CreateIndex
CREATE UNIQUE INDEX "Charter_version_key" ON "Charter"("version");

-- CreateIndex
CREATE INDEX "Run_status_idx" ON "Run"("status");

-- CreateIndex
CREATE INDEX "Run_createdAt_id_idx" ON "Run"("createdAt", "id");

-- CreateIndex
CREATE INDEX "Block_runId_idx" ON "Block"("runId");

-- CreateIndex
CREATE UNIQUE INDEX "Round_blockId_slot_key" ON "Round"("blockId", "slot");

-- CreateIndex
CREATE UNIQUE INDEX "Round_runId_step_attempt_key" ON "Round"("runId", "step", "attempt");

-- CreateIndex
CREATE UNIQUE INDEX "LedgerEntry_sequence_key" ON "LedgerEntry"("sequence");

-- CreateIndex
CREATE INDEX "LedgerEntry_runId_idx" ON "LedgerEntry"("runId");

-- CreateIndex
CREATE UNIQUE INDEX "AccessToken_tokenHash_key" ON "AccessToken"("tokenHash");

-- AddForeignKey
ALTER TABLE "CharterSignature" ADD CONSTRAINT "CharterSignature_charterDigest_fkey" FOREIGN KEY ("charterDigest") REFERENCES "Charter"("digest") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "CharterSignature" ADD CONSTRAINT "CharterSignature_participantId_fkey" FOREIGN KEY ("participantId") REFERENCES "Participant"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Run" ADD CONSTRAINT "Run_charterDigest_fkey" FOREIGN KEY ("charterDigest") REFERENCES "Charter"("digest") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Block" ADD CONSTRAINT "Block_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Round" ADD CONSTRAINT "Round_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Round" ADD CONSTRAINT "Round_blockId_fkey" FOREIGN KEY ("blockId") REFERENCES "Block"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Message" ADD CONSTRAINT "Message_blockId_fkey" FOREIGN KEY ("blockId") REFERENCES "Block"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Message" ADD CONSTRAINT "Message_participantId_fkey" FOREIGN KEY ("participantId") REFERENCES "Participant"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "LedgerEntry" ADD CONSTRAINT "LedgerEntry_roundId_fkey" FOREIGN KEY ("roundId") REFERENCES "Round"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "LedgerEntry" ADD CONSTRAINT "LedgerEntry_runId_fkey" FOREIGN KEY ("runId") REFERENCES "Run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What schema.prisma cannot say ------------------------------------------------------------------------------------

-- Statuses and phases: the unions of src/federation/ports.ts.
ALTER TABLE "Participant" ADD CONSTRAINT "Participant_status_check" CHECK ("status" IN ('pending', 'approved', 'revoked'));
ALTER TABLE "Participant" ADD CONSTRAINT "Participant_declaredRecords_check" CHECK ("declaredRecords" >= 0);
ALTER TABLE "Charter" ADD CONSTRAINT "Charter_status_check" CHECK ("status" IN ('proposed', 'active', 'superseded'));
ALTER TABLE "Run" ADD CONSTRAINT "Run_status_check" CHECK ("status" IN ('proposed', 'running', 'completed', 'stopped', 'aborted'));
ALTER TABLE "Block" ADD CONSTRAINT "Block_phase_check" CHECK ("phase" IN ('advertise-keys', 'share-keys', 'ready', 'closed'));
ALTER TABLE "Block" ADD CONSTRAINT "Block_nextSlot_check" CHECK ("nextSlot" BETWEEN 0 AND "slots");
ALTER TABLE "Round" ADD CONSTRAINT "Round_phase_check" CHECK ("phase" IN ('masked-input', 'unmasking', 'completed', 'aborted'));
ALTER TABLE "LedgerEntry" ADD CONSTRAINT "LedgerEntry_status_check" CHECK ("status" IN ('reserved', 'committed', 'voided'));
ALTER TABLE "AccessToken" ADD CONSTRAINT "AccessToken_role_check" CHECK ("role" IN ('operator', 'approver', 'auditor', 'application'));

-- One budget; its figures are finite and its units are whole and never negative (a negative spend would refund).
ALTER TABLE "Budget" ADD CONSTRAINT "Budget_one_row_check" CHECK ("id" = 1);
ALTER TABLE "Budget" ADD CONSTRAINT "Budget_limit_check" CHECK ("epsilon" >= 0 AND "epsilon" < 'Infinity' AND "delta" >= 0 AND "delta" < 1);
ALTER TABLE "Budget" ADD CONSTRAINT "Budget_units_check" CHECK ("spent"::text ~ '^\{(\d+(,\d+)*)?\}$' AND "reserved"::text ~ '^\{(\d+(,\d+)*)?\}$');
ALTER TABLE "LedgerEntry" ADD CONSTRAINT "LedgerEntry_units_check" CHECK ("reservedUnits"::text ~ '^\{(\d+(,\d+)*)?\}$' AND "committedUnits"::text ~ '^\{(\d+(,\d+)*)?\}$');

-- A reservation is written before its round, in the same transaction: the key is looked at when that commits.
ALTER TABLE "LedgerEntry" ALTER CONSTRAINT "LedgerEntry_roundId_fkey" DEFERRABLE INITIALLY DEFERRED;

-- A run has at most one block and one round open, whatever two replicas try at once.
CREATE UNIQUE INDEX "Block_one_open_a_run" ON "Block" ("runId") WHERE "phase" <> 'closed';
CREATE UNIQUE INDEX "Round_one_open_a_run" ON "Round" ("runId") WHERE "phase" NOT IN ('completed', 'aborted');

-- The end of a run, a round, a reservation is dated by the database's clock, never by a coordinator's.
CREATE FUNCTION "date_end_of_run"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW."finishedAt" := now(); RETURN NEW; END $$;
CREATE TRIGGER "Run_finishedAt" BEFORE UPDATE ON "Run" FOR EACH ROW
  WHEN (OLD."finishedAt" IS NULL AND NEW."status" IN ('completed', 'stopped', 'aborted')) EXECUTE FUNCTION "date_end_of_run"();
CREATE FUNCTION "date_end_of_round"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW."closedAt" := now(); RETURN NEW; END $$;
CREATE TRIGGER "Round_closedAt" BEFORE UPDATE ON "Round" FOR EACH ROW
  WHEN (OLD."closedAt" IS NULL AND NEW."phase" IN ('completed', 'aborted')) EXECUTE FUNCTION "date_end_of_round"();
CREATE FUNCTION "date_settlement"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW."settledAt" := now(); RETURN NEW; END $$;
CREATE TRIGGER "LedgerEntry_settledAt" BEFORE UPDATE ON "LedgerEntry" FOR EACH ROW
  WHEN (OLD."settledAt" IS NULL AND NEW."status" <> 'reserved') EXECUTE FUNCTION "date_settlement"();
