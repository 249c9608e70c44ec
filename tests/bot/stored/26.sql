BEGIN TRANSACTION;
CREATE TABLE admin_notice (                 -- what the admins were told last of each kind of failure
    key TEXT PRIMARY KEY,                   -- of the locales
    told_at REAL NOT NULL                   -- seconds since 1970
) STRICT;
INSERT INTO "admin_notice" VALUES('admin-disk-80',1700000000.0);
CREATE TABLE album_item (                   -- every picture of an album, refused ones too: lines are counted
    person INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    album TEXT NOT NULL,
    caption TEXT, sent_at REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (person, message_id)
) STRICT;
INSERT INTO "album_item" VALUES(7,1,'album-1','zuvix a fox',1700000000.0);
CREATE TABLE ban (id INTEGER PRIMARY KEY) STRICT;
INSERT INTO "ban" VALUES(9);
CREATE TABLE change (                       -- of a style's samples, which their person can take back
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    origin TEXT NOT NULL,                   -- the message or button press that asked: the same one changes once
    made_at REAL NOT NULL,                  -- seconds since 1970
    undone TEXT, renamed TEXT,                            -- the message or press that took it back; NULL = it stands
    UNIQUE (style, origin)
) STRICT;
INSERT INTO "change" VALUES(1,1,'origin-1',1700000000.0,'undone-1',NULL);
CREATE TABLE changed_sample (
    change INTEGER NOT NULL REFERENCES change ON DELETE CASCADE,
    sample INTEGER NOT NULL,                -- its id, also if it is removed
    was TEXT,                               -- JSON: its row before the change; NULL = there was none
    blob TEXT,                              -- its picture before the change, kept as long as this row
    PRIMARY KEY (change, sample)
) STRICT;
INSERT INTO "changed_sample" VALUES(1,1,NULL,'abababababababababababababababababababababababababababababababab');
CREATE TABLE checkpoint (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    step INTEGER NOT NULL,
    adapter TEXT NOT NULL,
    state TEXT, used INTEGER NOT NULL DEFAULT 0, base TEXT, bytes INTEGER,                             -- what a resume needs; only a job's newest is kept
    UNIQUE (job, step)
) STRICT;
INSERT INTO "checkpoint" VALUES(1,1,1,1,'adapter-1','done',1,'base-1',1);
CREATE TABLE comparison (
    job INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    best INTEGER NOT NULL,                  -- the step that the scores speak for
    scores TEXT NOT NULL,                   -- JSON: a lora.jobs.Score for each checkpoint
    sheet TEXT NOT NULL                     -- blob: a PNG with a row for each checkpoint
, reasons TEXT) STRICT;
INSERT INTO "comparison" VALUES(1,1,1,'[]','sheet-1','[]');
CREATE TABLE drawing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES job,
    position INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    blob TEXT NOT NULL,
    message_id INTEGER, uncut TEXT, background TEXT, file_id TEXT,                     -- NULL = not sent yet
    UNIQUE (job, position)
) STRICT;
INSERT INTO "drawing" VALUES(1,1,1,1,'abababababababababababababababababababababababababababababababab',1,NULL,NULL,'file_id-1');
CREATE TABLE erasure (                      -- somebody of whom everything is deleted: the row goes last
    person INTEGER PRIMARY KEY,
    language TEXT NOT NULL,
    message_id INTEGER NOT NULL,            -- the bot's message that will tell the end
    asked_at REAL NOT NULL,                 -- seconds since 1970: what came later stays
    with_packs INTEGER NOT NULL,            -- 1: their packs on Telegram, too
    sets TEXT                               -- JSON: names of packs to delete there; NULL = the rows are still there
) STRICT;
INSERT INTO "erasure" VALUES(8,'en',1,1700000000.0,1,NULL);
CREATE TABLE export (                       -- files that a person asked for: deleted when they have been sent
    person INTEGER NOT NULL REFERENCES person,
    kind TEXT NOT NULL,                     -- an ExportKind
    style INTEGER NOT NULL,                 -- 0 = everything; else of this style, if it is still there
    message_id INTEGER,                     -- the bot's message that shows how it goes
    PRIMARY KEY (person, kind, style)
) STRICT;
INSERT INTO "export" VALUES(7,'all',0,1);
CREATE TABLE finding (                      -- what a training's worker saw on its samples
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    code TEXT NOT NULL,                     -- a key of lora.checks.KINDS
    severity TEXT NOT NULL,                 -- error | warning | advice
    picture TEXT NOT NULL,                  -- the sample's blob, whatever number it has by now
    PRIMARY KEY (job, code, picture)
) STRICT;
INSERT INTO "finding" VALUES(1,1,'few','advice','picture-1');
CREATE TABLE guest (                        -- who draws in a style by its link
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES person,
    joined_at REAL NOT NULL,
    PRIMARY KEY (style, person)
) STRICT;
INSERT INTO "guest" VALUES(1,7,1700000000.0);
CREATE TABLE hold (                         -- waits that Telegram has asked for (429)
    person INTEGER NOT NULL,
    method TEXT NOT NULL,
    until REAL NOT NULL,                    -- seconds since 1970
    message_id INTEGER,                     -- the bot's message that tells of it
    PRIMARY KEY (person, method)
) STRICT;
INSERT INTO "hold" VALUES(7,'method-1',1700000000.0,1);
CREATE TABLE import (                       -- asks for all pictures of a pack or a zip
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    origin TEXT NOT NULL,                   -- the message or button press that asked
    kind TEXT NOT NULL,                     -- pack | zip
    source TEXT NOT NULL,                   -- pack: its name; zip: Telegram's file_id
    title TEXT NOT NULL,                    -- '' = not known yet
    message_id INTEGER NOT NULL,            -- of the person
    sent_at REAL NOT NULL,                  -- of that message: seconds since 1970
    answer_id INTEGER,                      -- the bot's message that shows how it goes
    state TEXT NOT NULL DEFAULT 'asked',    -- asked | taking | done | stopped | failed
    error TEXT,                             -- failed: a key of the locales
    params TEXT NOT NULL DEFAULT '{}',      -- JSON: what fills that text in
    told INTEGER NOT NULL DEFAULT 0,        -- the end stands in the bot's message
    UNIQUE (person, origin)
) STRICT;
INSERT INTO "import" VALUES(1,7,1,'origin-1','pack','source-1','title-1',1,1700000000.0,1,'done',NULL,'{}',1);
CREATE TABLE import_item (                  -- its pictures, until the end is told
    import INTEGER NOT NULL REFERENCES import ON DELETE CASCADE,
    position INTEGER NOT NULL,
    file_id TEXT NOT NULL,
    file_unique_id TEXT NOT NULL,
    moves TEXT NOT NULL,                    -- '' | video | animated
    emoji TEXT NOT NULL,
    caption TEXT,
    outcome TEXT,                           -- new | again | same | full, or a refusal's key; NULL = not taken yet
    PRIMARY KEY (import, position)
) STRICT;
INSERT INTO "import_item" VALUES(1,1,'file_id-1','file_unique_id-1','','🦊','zuvix a fox','new');
CREATE TABLE "inbox" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- the order of arrival; Telegram's own ids begin anew at times
    update_id INTEGER NOT NULL,             -- Telegram's
    digest TEXT NOT NULL,                   -- SHA-256 of the JSON: another update may have the same id later
    person INTEGER NOT NULL,                -- or a group's chat: whose updates stay in order
    body TEXT NOT NULL,                     -- Telegram's JSON; emptied when done
    state TEXT NOT NULL DEFAULT 'waiting',  -- a LetterState
    tries INTEGER NOT NULL DEFAULT 0,       -- begun and not ended by an error that is waited out
    received_at REAL NOT NULL,              -- seconds since 1970
    done_at REAL
, upload INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "inbox" VALUES(1,1,'digest-1',7,'','done',1,1700000000.0,1700000000.0,1);
CREATE TABLE invite (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL UNIQUE,             -- of its link
    uses_left INTEGER NOT NULL,
    expires_at REAL NOT NULL                -- seconds since 1970
) STRICT;
INSERT INTO "invite" VALUES(1,'token-1',1,1700000000.0);
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
    told INTEGER NOT NULL DEFAULT 0, options TEXT NOT NULL DEFAULT '{}', samples INTEGER NOT NULL DEFAULT 0, shared_losses INTEGER NOT NULL DEFAULT 0, handing_over INTEGER NOT NULL DEFAULT 0, ended_at REAL, prompt_original TEXT, prompt_unknown TEXT NOT NULL DEFAULT '', lent_keyword TEXT NOT NULL DEFAULT '', asked_at REAL, started_at REAL, uncut TEXT, background TEXT, chat INTEGER, trained_as TEXT NOT NULL DEFAULT '', lent_name TEXT NOT NULL DEFAULT '',        -- its end has been told to the person
    UNIQUE (person, origin)
) STRICT;
INSERT INTO "job" VALUES(1,7,'train',1,'message 1','done',1,1,'adapter-1','zuvix','a fox',1,100,100,NULL,NULL,1,1,'{}',1,1,1,1700000000.0,'prompt_original-1','prompt_unknown-1','',1700000000.0,1700000000.0,NULL,NULL,NULL,'','');
CREATE TABLE job_sample (                   -- what a training works on, also if the style changes
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    position INTEGER NOT NULL,
    blob TEXT NOT NULL,
    caption TEXT NOT NULL,
    PRIMARY KEY (job, position)
) STRICT;
INSERT INTO "job_sample" VALUES(1,1,'abababababababababababababababababababababababababababababababab','zuvix a fox');
CREATE TABLE member (id INTEGER PRIMARY KEY) STRICT;
INSERT INTO "member" VALUES(7);
CREATE TABLE member_name (name TEXT PRIMARY KEY) STRICT;
INSERT INTO "member_name" VALUES('name-1');
CREATE TABLE outbox (                       -- texts that must reach their person, whatever happens meanwhile
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL,
    text TEXT NOT NULL                      -- HTML; the row is deleted when it has been sent
) STRICT;
INSERT INTO "outbox" VALUES(1,7,'text-1');
CREATE TABLE pack (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    keyword TEXT NOT NULL,                  -- of the style whose stickers it takes; '' = drawn without one
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    title TEXT NOT NULL,
    state TEXT NOT NULL                     -- new (not on Telegram yet) | live | full | gone
, made_at REAL NOT NULL DEFAULT 0, kind TEXT NOT NULL DEFAULT 'regular', copy_of INTEGER REFERENCES pack, own INTEGER NOT NULL DEFAULT 0, chosen INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "pack" VALUES(1,7,'zuvix','zuvix_by_bot','title-1','live',1700000000.0,'regular',NULL,1,1);
CREATE TABLE pack_change (                  -- what people change in packs, each once, and how to undo it
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    origin TEXT NOT NULL,                   -- the message or button press that asked: the same one asks once
    pack INTEGER REFERENCES pack,           -- NULL = an addition whose pack is not known yet
    kind TEXT NOT NULL,                     -- a ChangeKind
    state TEXT NOT NULL DEFAULT 'wanted',   -- a ChangeState
    item TEXT,                              -- unique file id of the sticker
    sticker INTEGER REFERENCES pack_sticker ON DELETE SET NULL,     -- or how the bot added it
    value TEXT NOT NULL DEFAULT 'null',     -- JSON: a position, emoji, keywords, or a title
    blob TEXT,                              -- a new thumbnail
    old TEXT,                               -- JSON: what was there before
    old_blob TEXT,                          -- the picture that was there before
    problem TEXT,                           -- a key of the locales: why it failed
    undoes INTEGER REFERENCES pack_change ON DELETE SET NULL,
    undone TEXT,                            -- the message or press that took it back; NULL = it stands
    view INTEGER,                           -- the bot's message that shows the pack
    told INTEGER NOT NULL DEFAULT 0,
    at REAL NOT NULL,                       -- seconds since 1970
    UNIQUE (person, origin)
) STRICT;
INSERT INTO "pack_change" VALUES(1,7,'origin-1',1,'title','done','item-1',1,'null','abababababababababababababababababababababababababababababababab',NULL,'old_blob-1',NULL,NULL,'undone-1',1,1,1700000000.0);
CREATE TABLE pack_item (                    -- the stickers of packs, as Telegram showed them last
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pack INTEGER NOT NULL REFERENCES pack ON DELETE CASCADE,
    unique_id TEXT NOT NULL,
    file_id TEXT NOT NULL,
    position INTEGER NOT NULL,              -- from 0
    emoji TEXT NOT NULL,                    -- JSON; Telegram shows only the first
    keywords TEXT,                          -- JSON; NULL = not known, for Telegram does not show them
    sticker INTEGER UNIQUE REFERENCES pack_sticker ON DELETE SET NULL,  -- how the bot added it
    blob TEXT,                              -- the picture, if it was fetched
    UNIQUE (pack, unique_id)
) STRICT;
INSERT INTO "pack_item" VALUES(1,1,'unique_id-1','file_id-1',1,'["🦊"]','[]',1,'abababababababababababababababababababababababababababababababab');
CREATE TABLE "pack_sticker" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    drawing INTEGER UNIQUE REFERENCES drawing,  -- NULL = blob is the picture
    pack INTEGER REFERENCES pack,
    state TEXT NOT NULL DEFAULT 'wanted',   -- a StickerState
    file_id TEXT,                           -- of the uploaded file: adding it again changes nothing
    told INTEGER NOT NULL DEFAULT 0,
    before TEXT,                            -- JSON: unique file ids in the pack before this one was added
    refusals INTEGER NOT NULL DEFAULT 0,    -- of packs' names and of its file
    blob TEXT,                              -- the picture, if it is no drawing
    target INTEGER REFERENCES pack,         -- the pack that it must go into; NULL = the current one
    replaces TEXT,                          -- unique file id of the sticker whose place it takes
    emoji TEXT,                             -- JSON; NULL = those of the drawing's prompt
    keywords TEXT,                          -- JSON, as emoji
    copy_of TEXT,                           -- unique file id of the sticker that this emoji is a copy of
    change INTEGER REFERENCES pack_change ON DELETE SET NULL    -- the change that it belongs to
) STRICT;
INSERT INTO "pack_sticker" VALUES(1,7,1,1,'added','file_id-1',1,NULL,1,'abababababababababababababababababababababababababababababababab',NULL,NULL,'["🦊"]','[]',NULL,NULL);
CREATE TABLE person (
    id INTEGER PRIMARY KEY,                 -- Telegram's; also the id of the private chat
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    style INTEGER REFERENCES style ON DELETE SET NULL,
    blocked INTEGER NOT NULL DEFAULT 0      -- has blocked the bot: nothing can be sent
, chosen_language TEXT, username TEXT, since REAL NOT NULL DEFAULT 0) STRICT;
INSERT INTO "person" VALUES(7,'Ada','en',1,0,NULL,'ada',1700000000.0);
CREATE TABLE question (                          -- what a person is asked, and their next text answers
    person INTEGER NOT NULL REFERENCES person,
    chat INTEGER NOT NULL,                       -- where it was asked
    message_id INTEGER NOT NULL,                 -- the bot's message that asks
    kind TEXT NOT NULL,                          -- what is asked: bot/handlers/answers.py
    id INTEGER NOT NULL,                         -- of the drawing, the style, the pack, or the pack_item; else 0
    view INTEGER,                                -- the bot's message that shows the pack
    at REAL NOT NULL,                            -- seconds since 1970
    answer INTEGER,                              -- the message that answered; 0 = no longer waited for
    PRIMARY KEY (person, chat, message_id)
) STRICT;
INSERT INTO "question" VALUES(7,7,1,'title',1,1,1700000000.0,1);
CREATE TABLE ready_style (                  -- the ready-made style: one row, which keeps its blob
    keyword TEXT NOT NULL,
    adapter TEXT NOT NULL
) STRICT;
INSERT INTO "ready_style" VALUES('zuvix','adapter-1');
CREATE TABLE refusal (                      -- a picture that was not taken, and why
    person INTEGER NOT NULL,
    message_id INTEGER NOT NULL,            -- the person's message with the picture
    key TEXT NOT NULL,                      -- of the locales
    params TEXT NOT NULL,                   -- JSON: what fills the text in
    answer_id INTEGER,                      -- the bot's message that says so; NULL = not said yet
    PRIMARY KEY (person, message_id)
) STRICT;
INSERT INTO "refusal" VALUES(7,1,'too-large','{}',1);
CREATE TABLE report (                       -- a guest tells the admins that something is wrong with a shared style
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES person,      -- who reports; the style's owner is never told
    reason TEXT NOT NULL,                   -- a Reason
    state TEXT NOT NULL DEFAULT 'open',     -- open | dismissed
    at REAL NOT NULL,                       -- seconds since 1970
    PRIMARY KEY (style, person)
) STRICT;
INSERT INTO "report" VALUES(1,7,'reason-1','done',1700000000.0);
CREATE TABLE report_notice (                -- the message that tells an admin of a style's open reports
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    person INTEGER NOT NULL,                -- the admin, who may never have written
    message_id INTEGER,                     -- NULL = it could not be sent
    reports INTEGER NOT NULL,               -- how many it tells of
    PRIMARY KEY (style, person)
) STRICT;
INSERT INTO "report_notice" VALUES(1,7,1,1);
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
    refused_tokens INTEGER, caption_original TEXT, caption_unknown TEXT NOT NULL DEFAULT '', pack TEXT, emoji TEXT NOT NULL DEFAULT '', bytes INTEGER,                 -- length of a caption that was too long
    UNIQUE (style, file_unique_id)
) STRICT;
INSERT INTO "sample" VALUES(1,1,'file_unique_id-1','abababababababababababababababababababababababababababababababab','file',1,1700000000.0,1,'zuvix a fox','person',1,1,'caption_original-1','caption_unknown-1','pack-1','🦊',1);
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO "setting" VALUES('stored by a test','1');
CREATE TABLE share (                        -- the link by which others draw in a style
    style INTEGER PRIMARY KEY REFERENCES style ON DELETE CASCADE,
    token_hash TEXT NOT NULL UNIQUE,             -- random; kept as it is, so that /share shows the same link again
    made_at REAL NOT NULL                   -- seconds since 1970
) STRICT;
INSERT INTO "share" VALUES(1,'token_hash-1',1700000000.0);
CREATE TABLE style (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    keyword TEXT NOT NULL, imported INTEGER NOT NULL DEFAULT 0,
    UNIQUE (person, keyword)
) STRICT;
INSERT INTO "style" VALUES(1,7,'zuvix',1);
CREATE TABLE usage (                        -- what was asked for on a day; "id" and not "person": outlasts /forgetme
    id INTEGER NOT NULL,                    -- of the person
    kind TEXT NOT NULL,                     -- of the jobs
    day INTEGER NOT NULL,                   -- days since 1970, UTC
    used INTEGER NOT NULL,                  -- trainings; pictures
    PRIMARY KEY (id, kind, day)
) STRICT, WITHOUT ROWID;
INSERT INTO "usage" VALUES(7,'draw',1,1);
CREATE TABLE wish (                              -- words of an inline query, for the link that draws them
    code TEXT NOT NULL,
    person INTEGER NOT NULL,
    words TEXT NOT NULL,
    made_at REAL NOT NULL,                       -- seconds since 1970
    PRIMARY KEY (person, code)
) STRICT;
INSERT INTO "wish" VALUES('few',7,'words-1',1700000000.0);
CREATE VIEW numbered_sample AS              -- with the number that people see, counted from 1 in each style
    SELECT sample.*, style.person,
        row_number() OVER (PARTITION BY style.person, sample.style ORDER BY sample.id) AS number
    FROM sample JOIN style ON style.id = sample.style;
CREATE INDEX album_item_album ON album_item (person, album);
CREATE INDEX job_state ON job (state, kind, id);
CREATE UNIQUE INDEX job_one_training ON job (style)
    WHERE kind = 'train' AND state IN ('queued', 'running');
CREATE INDEX sample_blob ON sample (blob);
CREATE INDEX job_adapter ON job (adapter);
CREATE INDEX job_sample_blob ON job_sample (blob);
CREATE INDEX drawing_blob ON drawing (blob);
CREATE INDEX finding_style ON finding (style, job);
CREATE INDEX inbox_waiting ON inbox (person, id) WHERE state IN ('waiting', 'kept');
CREATE INDEX inbox_update ON inbox (update_id);
CREATE INDEX job_suspect ON job (state, kind, id) WHERE losses + shared_losses > 0;
CREATE INDEX job_untold ON job (person) WHERE told = 0;
CREATE INDEX job_news ON job (person) WHERE told = 0 AND ended_at IS NOT NULL;
CREATE INDEX job_style ON job (style);
CREATE INDEX job_ended ON job (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX drawing_unsent ON drawing (job) WHERE message_id IS NULL;
CREATE INDEX changed_sample_blob ON changed_sample (blob);
CREATE INDEX person_username ON person (username COLLATE NOCASE);
CREATE INDEX import_untold ON import (person) WHERE told = 0;
CREATE INDEX import_style ON import (style);
CREATE INDEX guest_person ON guest (person);
CREATE INDEX inbox_received ON inbox (received_at);
CREATE INDEX checkpoint_of_style ON checkpoint (style);
CREATE INDEX pack_change_person ON pack_change (person);
CREATE INDEX pack_change_untold ON pack_change (person) WHERE told = 0;
CREATE INDEX pack_change_blob ON pack_change (blob) WHERE blob IS NOT NULL;
CREATE INDEX pack_change_old_blob ON pack_change (old_blob) WHERE old_blob IS NOT NULL;
CREATE INDEX pack_sticker_open ON pack_sticker (person, told);
CREATE INDEX pack_sticker_pack ON pack_sticker (pack);
CREATE INDEX pack_sticker_blob ON pack_sticker (blob) WHERE blob IS NOT NULL;
CREATE UNIQUE INDEX pack_sticker_copy ON pack_sticker (person, copy_of) WHERE copy_of IS NOT NULL;
CREATE INDEX pack_item_blob ON pack_item (blob) WHERE blob IS NOT NULL;
CREATE INDEX drawing_uncut ON drawing (uncut);
CREATE INDEX drawing_message ON drawing (message_id);
CREATE INDEX job_uncut ON job (uncut);
CREATE INDEX pack_person ON pack (person);
CREATE INDEX pack_copy_of ON pack (copy_of) WHERE copy_of IS NOT NULL;
CREATE INDEX pack_item_unique_id ON pack_item (unique_id);
CREATE INDEX pack_sticker_target ON pack_sticker (target) WHERE target IS NOT NULL;
CREATE INDEX person_style ON person (style) WHERE style IS NOT NULL;
CREATE INDEX comparison_style ON comparison (style);
CREATE INDEX pack_sticker_change ON pack_sticker (change) WHERE change IS NOT NULL;
CREATE INDEX pack_change_sticker ON pack_change (sticker) WHERE sticker IS NOT NULL;
CREATE INDEX pack_change_undoes ON pack_change (undoes) WHERE undoes IS NOT NULL;
CREATE INDEX report_person ON report (person);
CREATE INDEX report_open ON report (style) WHERE state = 'open';
CREATE INDEX job_message ON job (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX pack_change_pack ON pack_change (pack);
CREATE INDEX checkpoint_adapter ON checkpoint (adapter);
CREATE INDEX checkpoint_state ON checkpoint (state) WHERE state IS NOT NULL;
CREATE INDEX comparison_sheet ON comparison (sheet);
CREATE TRIGGER job_started AFTER UPDATE OF state ON job WHEN new.state = 'running' AND new.started_at IS NULL BEGIN
    UPDATE job SET started_at = (julianday('now') - 2440587.5) * 86400.0 WHERE id = new.id;
END;
CREATE TRIGGER job_asked AFTER INSERT ON job BEGIN
    UPDATE job SET asked_at = (julianday('now') - 2440587.5) * 86400.0 WHERE id = new.id;
    INSERT INTO usage (id, kind, day, used) VALUES (new.person, new.kind, unixepoch() / 86400,
        iif(new.uncut IS NOT NULL, 0, iif(new.kind = 'draw', coalesce(json_extract(new.options, '$.count'), 1), 1)))
        ON CONFLICT (id, kind, day) DO UPDATE SET used = used + excluded.used;
END;
CREATE TRIGGER job_counted_back AFTER UPDATE OF state ON job
    WHEN old.state != new.state AND (new.state = 'failed' OR (new.state = 'cancelled' AND new.attempt = 0)) BEGIN
    UPDATE usage SET used = used - iif(new.uncut IS NOT NULL, 0, iif(new.kind = 'draw',
        max(0, coalesce(json_extract(new.options, '$.count'), 1) -
            (SELECT count(*) FROM drawing WHERE job = new.id)), 1))
        WHERE id = new.person AND kind = new.kind AND day = CAST(new.asked_at / 86400 AS INTEGER);
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('inbox',1);
INSERT INTO "sqlite_sequence" VALUES('pack_sticker',1);
INSERT INTO "sqlite_sequence" VALUES('style',1);
INSERT INTO "sqlite_sequence" VALUES('sample',1);
INSERT INTO "sqlite_sequence" VALUES('job',1);
INSERT INTO "sqlite_sequence" VALUES('checkpoint',1);
INSERT INTO "sqlite_sequence" VALUES('drawing',1);
INSERT INTO "sqlite_sequence" VALUES('pack',1);
INSERT INTO "sqlite_sequence" VALUES('outbox',1);
INSERT INTO "sqlite_sequence" VALUES('change',1);
INSERT INTO "sqlite_sequence" VALUES('invite',1);
INSERT INTO "sqlite_sequence" VALUES('import',1);
INSERT INTO "sqlite_sequence" VALUES('pack_change',1);
INSERT INTO "sqlite_sequence" VALUES('pack_item',1);
COMMIT;
PRAGMA user_version = 26;
