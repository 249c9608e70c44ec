BEGIN TRANSACTION;
CREATE TABLE album_item (                   -- every picture of an album, refused ones too: lines are counted
    person INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    album TEXT NOT NULL,
    caption TEXT,
    PRIMARY KEY (person, message_id)
) STRICT;
INSERT INTO "album_item" VALUES(7,1,'album-1','zuvix a fox');
CREATE TABLE checkpoint (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    step INTEGER NOT NULL,
    adapter TEXT NOT NULL,
    state TEXT, used INTEGER NOT NULL DEFAULT 0, base TEXT,                             -- what a resume needs; only a job's newest is kept
    UNIQUE (job, step)
) STRICT;
INSERT INTO "checkpoint" VALUES(1,1,1,1,'adapter-1','done',1,'base-1');
CREATE TABLE comparison (
    job INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    best INTEGER NOT NULL,                  -- the step that the scores speak for
    scores TEXT NOT NULL,                   -- JSON: a lora.jobs.Score for each checkpoint
    sheet TEXT NOT NULL                     -- blob: a PNG with a row for each checkpoint
) STRICT;
INSERT INTO "comparison" VALUES(1,1,1,'[]','sheet-1');
CREATE TABLE deed (                         -- what must not be done again when its update is worked off twice
    person INTEGER NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (person, origin)
) STRICT;
INSERT INTO "deed" VALUES(7,'origin-1');
CREATE TABLE drawing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES job,
    position INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    blob TEXT NOT NULL,
    message_id INTEGER,                     -- NULL = not sent yet
    UNIQUE (job, position)
) STRICT;
INSERT INTO "drawing" VALUES(1,1,1,1,'abababababababababababababababababababababababababababababababab',1);
CREATE TABLE finding (                      -- what a training's worker saw on its samples
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    code TEXT NOT NULL,                     -- a key of lora.checks.KINDS
    severity TEXT NOT NULL,                 -- error | warning | advice
    picture TEXT NOT NULL,                  -- the sample's blob, whatever number it has by now
    PRIMARY KEY (job, code, picture)
) STRICT;
INSERT INTO "finding" VALUES(1,1,'few','advice','picture-1');
CREATE TABLE inbox (
    update_id INTEGER PRIMARY KEY,
    person INTEGER NOT NULL,
    body TEXT NOT NULL,                     -- Telegram's JSON; emptied when done
    tries INTEGER NOT NULL DEFAULT 0,
    done_at REAL
) STRICT;
INSERT INTO "inbox" VALUES(1,7,'',1,1700000000.0);
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    kind TEXT NOT NULL,                     -- train | draw
    style INTEGER REFERENCES style ON DELETE SET NULL,
    origin TEXT NOT NULL,                   -- the message or button press that asked: the same one asks once
    state TEXT NOT NULL DEFAULT 'queued',   -- queued | running | done | failed | cancelled
    attempt INTEGER NOT NULL DEFAULT 0,     -- fence: a change counts only for the attempt that is running
    losses INTEGER NOT NULL DEFAULT 0,      -- workers that died of it since its last checkpoint
    adapter TEXT,                           -- draw: the blob to draw with; NULL = the bare base
    keyword TEXT NOT NULL DEFAULT '',
    prompt TEXT NOT NULL DEFAULT '',
    seed INTEGER NOT NULL DEFAULT 0,
    steps INTEGER,                          -- NULL = the base's default
    step INTEGER NOT NULL DEFAULT 0,        -- train: of the last checkpoint
    note TEXT,                              -- a key of the locales, shown with the job
    error TEXT,                             -- a key of lora.jobs.JOB_ERRORS
    message_id INTEGER,                     -- the bot's message that shows how it goes
    told INTEGER NOT NULL DEFAULT 0, options TEXT NOT NULL DEFAULT '{}', samples INTEGER NOT NULL DEFAULT 0,        -- its end has been told to the person
    UNIQUE (person, origin)
) STRICT;
INSERT INTO "job" VALUES(1,7,'train',1,'message 1','done',1,1,'adapter-1','zuvix','a fox',1,100,100,NULL,NULL,1,1,'{}',1);
CREATE TABLE job_sample (                   -- what a training works on, also if the style changes
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    position INTEGER NOT NULL,
    blob TEXT NOT NULL,
    caption TEXT NOT NULL,
    PRIMARY KEY (job, position)
) STRICT;
INSERT INTO "job_sample" VALUES(1,1,'abababababababababababababababababababababababababababababababab','zuvix a fox');
CREATE TABLE pack (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    keyword TEXT NOT NULL,                  -- of the style whose stickers it takes; '' = drawn without one
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    title TEXT NOT NULL,
    state TEXT NOT NULL                     -- new (not on Telegram yet) | live | full | gone
) STRICT;
INSERT INTO "pack" VALUES(1,7,'zuvix','zuvix_by_bot','title-1','live');
CREATE TABLE pack_sticker (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    drawing INTEGER NOT NULL UNIQUE REFERENCES drawing,
    pack INTEGER REFERENCES pack,
    state TEXT NOT NULL DEFAULT 'wanted',   -- wanted | uploaded | adding | added | failed
    file_id TEXT,                           -- of the uploaded file: adding it again changes nothing
    count_before INTEGER,                   -- stickers in the pack before this one is added
    told INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO "pack_sticker" VALUES(1,7,1,1,'added','file_id-1',1,1);
CREATE TABLE person (
    id INTEGER PRIMARY KEY,                 -- Telegram's; also the id of the private chat
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    style INTEGER REFERENCES style ON DELETE SET NULL,
    blocked INTEGER NOT NULL DEFAULT 0      -- has blocked the bot: nothing can be sent
) STRICT;
INSERT INTO "person" VALUES(7,'Ada','en',1,0);
CREATE TABLE sample (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    file_unique_id TEXT NOT NULL,
    blob TEXT NOT NULL,
    kind TEXT NOT NULL,                     -- sticker | photo | file
    message_id INTEGER NOT NULL,            -- the person's message with the picture
    sent_at REAL NOT NULL,                  -- seconds since 1970
    answer_id INTEGER,                      -- the bot's newest message about it; NULL = not reported yet
    caption TEXT,                           -- with the keyword; NULL = none yet
    caption_from TEXT,                      -- draft | album | person
    captioned_by INTEGER,                   -- the message with the caption: it gives only one
    refused_tokens INTEGER,                 -- length of a caption that was too long
    UNIQUE (style, file_unique_id)
) STRICT;
INSERT INTO "sample" VALUES(1,1,'file_unique_id-1','abababababababababababababababababababababababababababababababab','file',1,1700000000.0,1,'zuvix a fox','person',1,1);
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO "setting" VALUES('stored by a test','1');
CREATE TABLE style (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    keyword TEXT NOT NULL,
    UNIQUE (person, keyword)
) STRICT;
INSERT INTO "style" VALUES(1,7,'zuvix');
CREATE VIEW numbered_sample AS              -- with the number that people see, counted from 1 in each style
    SELECT sample.*, style.person,
        row_number() OVER (PARTITION BY style.person, sample.style ORDER BY sample.id) AS number
    FROM sample JOIN style ON style.id = sample.style;
CREATE INDEX album_item_album ON album_item (person, album);
CREATE INDEX job_state ON job (state, kind, id);
CREATE UNIQUE INDEX job_one_training ON job (style)
    WHERE kind = 'train' AND state IN ('queued', 'running');
CREATE INDEX pack_sticker_open ON pack_sticker (person, told);
CREATE INDEX inbox_waiting ON inbox (person, update_id) WHERE done_at IS NULL;
CREATE INDEX sample_blob ON sample (blob);
CREATE INDEX job_adapter ON job (adapter);
CREATE INDEX job_sample_blob ON job_sample (blob);
CREATE INDEX drawing_blob ON drawing (blob);
CREATE INDEX finding_style ON finding (style, job);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('style',1);
INSERT INTO "sqlite_sequence" VALUES('sample',1);
INSERT INTO "sqlite_sequence" VALUES('job',1);
INSERT INTO "sqlite_sequence" VALUES('checkpoint',1);
INSERT INTO "sqlite_sequence" VALUES('drawing',1);
INSERT INTO "sqlite_sequence" VALUES('pack',1);
INSERT INTO "sqlite_sequence" VALUES('pack_sticker',1);
COMMIT;
PRAGMA user_version = 4;
