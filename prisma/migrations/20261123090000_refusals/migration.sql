-- CreateTable
CREATE TABLE "Refusal" (
    "roundId" TEXT NOT NULL,
    "participantId" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "participant" JSONB NOT NULL,
    "coordinator" JSONB NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "Refusal_pkey" PRIMARY KEY ("roundId","participantId")
);

-- AddForeignKey
ALTER TABLE "Refusal" ADD CONSTRAINT "Refusal_roundId_fkey" FOREIGN KEY ("roundId") REFERENCES "Round"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "Refusal" ADD CONSTRAINT "Refusal_participantId_fkey" FOREIGN KEY ("participantId") REFERENCES "Participant"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
