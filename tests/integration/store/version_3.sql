-- A store of layout 3 as it was written then, never to be changed: `ID`, `REF` and `BYTES` stand for each database's own types, and
-- `BYTES'...'` for its literal of them in hexadecimal. Statements end with a semicolon at the end of a line.

CREATE TABLE schema_version (
    version INTEGER NOT NULL
);

CREATE TABLE authorities (
    id ID NOT NULL,
    label VARCHAR(255) NOT NULL,
    common_name VARCHAR(255) NOT NULL,
    algorithm VARCHAR(32) NOT NULL,
    state VARCHAR(16) NOT NULL,
    crl_validity_days INTEGER NOT NULL,
    certificate BYTES,
    not_after BIGINT,
    created_at BIGINT NOT NULL,
    replaces VARCHAR(255),
    csr TEXT DEFAULT '' NOT NULL,
    chain TEXT DEFAULT '' NOT NULL,
    chain_crls TEXT DEFAULT '' NOT NULL,
    settings TEXT DEFAULT '{}' NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (label)
);

CREATE TABLE certificates (
    id ID NOT NULL,
    authority_id REF NOT NULL,
    serial VARCHAR(49) NOT NULL,
    common_name VARCHAR(64) NOT NULL,
    name_key VARCHAR(192) NOT NULL,
    name VARCHAR(255) NOT NULL,
    device VARCHAR(255) NOT NULL,
    profile VARCHAR(16) NOT NULL,
    state VARCHAR(16) NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    public_key_sha256 VARCHAR(64) NOT NULL,
    certificate BYTES,
    intended_at BIGINT NOT NULL,
    issued_at BIGINT,
    delivered_at BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY(authority_id) REFERENCES authorities (id),
    UNIQUE (serial)
);
CREATE INDEX certificates_by_name ON certificates (profile, name);
CREATE INDEX certificates_by_state ON certificates (profile, state, not_after);
CREATE UNIQUE INDEX one_valid_per_name ON certificates (name_key) WHERE state = 'valid';

CREATE TABLE revocations (
    id ID NOT NULL,
    authority_id REF NOT NULL,
    certificate_id REF NOT NULL,
    revoked_at BIGINT NOT NULL,
    reason VARCHAR(32) NOT NULL,
    entry BYTES NOT NULL,
    not_after BIGINT NOT NULL,
    first_crl_number BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY(authority_id) REFERENCES authorities (id),
    UNIQUE (certificate_id),
    FOREIGN KEY(certificate_id) REFERENCES certificates (id)
);
CREATE INDEX revocations_by_first_crl ON revocations (authority_id, first_crl_number);

CREATE TABLE crls (
    id ID NOT NULL,
    authority_id REF NOT NULL,
    number BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    signed_at_us BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    omitted BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (authority_id, number),
    FOREIGN KEY(authority_id) REFERENCES authorities (id)
);

CREATE TABLE suspensions (
    name VARCHAR(255) NOT NULL,
    device VARCHAR(255) NOT NULL,
    since BIGINT NOT NULL,
    reason VARCHAR(255) NOT NULL,
    lifted_at BIGINT,
    PRIMARY KEY (name, device)
);

CREATE TABLE audit (
    sequence REF NOT NULL,
    at_us BIGINT NOT NULL,
    actor VARCHAR(255) NOT NULL,
    job VARCHAR(255) NOT NULL,
    action VARCHAR(64) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    detail TEXT NOT NULL,
    previous VARCHAR(64) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    PRIMARY KEY (sequence)
);

INSERT INTO schema_version (version)
VALUES (3);

INSERT INTO authorities (label, common_name, algorithm, state, crl_validity_days, certificate, not_after, created_at, replaces, csr, chain, chain_crls, settings)
VALUES ('ca', 'Test authority', 'ec-p256', 'active', 30, BYTES'636120646572', 2110708800, 1795348800, NULL, '', '', '', '{}');
INSERT INTO authorities (label, common_name, algorithm, state, crl_validity_days, certificate, not_after, created_at, replaces, csr, chain, chain_crls, settings)
VALUES ('ca-2027', 'Test authority 2027', 'ec-p256', 'intended', 30, NULL, NULL, 1795348800, 'ca', '', '', '', '{"crl_urls": ["http://ca.example.net/crl"]}');

INSERT INTO certificates (authority_id, serial, common_name, name_key, name, device, profile, state, not_before, not_after, public_key_sha256, certificate, intended_at, issued_at, delivered_at)
VALUES (1, '1', 'alice@laptop', 'alice@laptop', 'alice', 'laptop', 'client', 'superseded', 1795348800, 1826884800, 'abababababababababababababababababababababababababababababababab', BYTES'6465722031', 1795348800, 1795348800, 1795348800);
INSERT INTO certificates (authority_id, serial, common_name, name_key, name, device, profile, state, not_before, not_after, public_key_sha256, certificate, intended_at, issued_at, delivered_at)
VALUES (1, '2', 'bob@laptop', 'bob@laptop', 'bob', 'laptop', 'client', 'revoked', 1795348800, 1826884800, 'abababababababababababababababababababababababababababababababab', BYTES'6465722032', 1795348800, 1795348800, 1795348800);
INSERT INTO certificates (authority_id, serial, common_name, name_key, name, device, profile, state, not_before, not_after, public_key_sha256, certificate, intended_at, issued_at, delivered_at)
VALUES (1, '3', 'alice@laptop', 'alice@laptop', 'alice', 'laptop', 'client', 'valid', 1795348800, 1826884800, 'abababababababababababababababababababababababababababababababab', BYTES'6465722033', 1795348800, 1795348800, 1795348800);
INSERT INTO certificates (authority_id, serial, common_name, name_key, name, device, profile, state, not_before, not_after, public_key_sha256, certificate, intended_at, issued_at, delivered_at)
VALUES (1, '9', 'carol@phone', 'carol@phone', 'carol', 'phone', 'client', 'intended', 1795348800, 1826884800, '', NULL, 1795348800, NULL, NULL);

INSERT INTO revocations (authority_id, certificate_id, revoked_at, reason, entry, not_after, first_crl_number)
VALUES (1, 2, 1795348800, 'superseded', BYTES'656e74727920323b', 1826884800, 1);

INSERT INTO crls (authority_id, number, state, this_update, next_update, signed_at_us, entries, sha256, omitted)
VALUES (1, 1, 'signed', 1795348801, 1797940801, 1795348801250000, 1, '0d91ed41c21fad20e4a6cdb65ae9532aa6e62ab8868e6b11237e772cc852c928', 0);

INSERT INTO suspensions (name, device, since, reason, lifted_at)
VALUES ('alice', '', 1795348800, 'on leave until May', NULL);
INSERT INTO suspensions (name, device, since, reason, lifted_at)
VALUES ('bob', 'laptop', 1795348800, '', 1795348800);

INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (1, 1795348800250000, 'admin', 'job 7', 'authority.intended', 'ca', '{"algorithm":"ec-p256","common_name":"Test authority","replaces":""}', '0000000000000000000000000000000000000000000000000000000000000000', '4ea31477497250d847dd415dfead161f3c889c1567e8a5b8707a319899c7d9e7');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (2, 1795348800250000, 'admin', 'job 7', 'authority.activated', 'ca', '{"not_after":2110708800,"sha256":"1f9b8b3b8408bbcba816db8a9703588d6133cd8719d56c3b75b5ebe38298de60","standby":false}', '4ea31477497250d847dd415dfead161f3c889c1567e8a5b8707a319899c7d9e7', 'a195e3d0e32dad66b63dd4ee9a1c5c652af97ae13d34e3e537c276e1b716a478');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (3, 1795348800250000, 'admin', 'job 7', 'certificates.intended', 'ca', '{"serials":["1"]}', 'a195e3d0e32dad66b63dd4ee9a1c5c652af97ae13d34e3e537c276e1b716a478', 'f0e3c2fae7d807182c1ab35b16bfcf7e17ec9623a68e5c658d581dd1cfcd2852');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (4, 1795348800250000, 'admin', 'job 7', 'certificate.issued', '1', '{"common_name":"alice@laptop","not_after":1826884800,"profile":"client","sha256":"c24f6b5f524cb5710e3356958fc1c6e93446b4c89682fd95b83f93c0d3c5786a"}', 'f0e3c2fae7d807182c1ab35b16bfcf7e17ec9623a68e5c658d581dd1cfcd2852', 'd91496d556fa0ebf2954d1f38bc0c3a3abdca14723dbff4615b5de9b13173dd0');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (5, 1795348800250000, 'admin', 'job 7', 'certificates.intended', 'ca', '{"serials":["2"]}', 'd91496d556fa0ebf2954d1f38bc0c3a3abdca14723dbff4615b5de9b13173dd0', '891d23652512f275aa602004c76d43c6d22e43bfd67ea0701ca7d71fe0308d01');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (6, 1795348800250000, 'admin', 'job 7', 'certificate.issued', '2', '{"common_name":"bob@laptop","not_after":1826884800,"profile":"client","sha256":"807f20f7081b4d1a38652e808201a557e9a7dd83108e69778a4339515939b3f0"}', '891d23652512f275aa602004c76d43c6d22e43bfd67ea0701ca7d71fe0308d01', '54c3bf2465ecfc85f71c13d85359f6cac49d3b5c66469605bd0b6b0b74822fc1');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (7, 1795348800250000, 'admin', 'job 7', 'certificates.intended', 'ca', '{"serials":["3"]}', '54c3bf2465ecfc85f71c13d85359f6cac49d3b5c66469605bd0b6b0b74822fc1', 'f7c00c89e8d064c6ff1469a9069d174edd8d54e7ffdea82a23f9b6745872c4cb');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (8, 1795348800250000, 'admin', 'job 7', 'certificate.superseded', '1', '{"common_name":"alice@laptop"}', 'f7c00c89e8d064c6ff1469a9069d174edd8d54e7ffdea82a23f9b6745872c4cb', '51944f441ad3ac004e0a504dda61ddbf67c7764a4c1811899c6437cf03373d97');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (9, 1795348800250000, 'admin', 'job 7', 'certificate.issued', '3', '{"common_name":"alice@laptop","not_after":1826884800,"profile":"client","sha256":"ae15dbdb54906e33e9ff67edb605d0a9b2d68bcd09225cb5f093d17a90d7f55b"}', '51944f441ad3ac004e0a504dda61ddbf67c7764a4c1811899c6437cf03373d97', '39e73c3c174dd7bc650b667e027a61ead1f1b7f54363e3fbf8dd4cc09e4840bd');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (10, 1795348800250000, 'admin', 'job 7', 'certificates.delivered', '3', '{"serials":["1","2","3"]}', '39e73c3c174dd7bc650b667e027a61ead1f1b7f54363e3fbf8dd4cc09e4840bd', '07b8ca5ac62f88d8e71abb2de45cd3b3d28a941888f61398820c05d66d70ca40');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (11, 1795348800250000, 'admin', 'job 7', 'certificate.revoked', '2', '{"common_name":"bob@laptop","reason":"superseded","revoked_at":1795348800}', '07b8ca5ac62f88d8e71abb2de45cd3b3d28a941888f61398820c05d66d70ca40', 'e164fc9a233e4bf7b4c90e354ae5b230a50a75d16743015cb1f18a1dca5187b8');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (12, 1795348800250000, 'admin', 'job 7', 'crl.intended', '1', '{"authority":"ca","this_update":1795348801}', 'e164fc9a233e4bf7b4c90e354ae5b230a50a75d16743015cb1f18a1dca5187b8', 'f33931202c0ca41d2596ab2dd30fcb03b1825503f56490581d5f975a063785e8');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (13, 1795348800250000, 'admin', 'job 7', 'crl.signed', '1', '{"authority":"ca","entries":1,"sha256":"0d91ed41c21fad20e4a6cdb65ae9532aa6e62ab8868e6b11237e772cc852c928"}', 'f33931202c0ca41d2596ab2dd30fcb03b1825503f56490581d5f975a063785e8', 'da3490d5e6674bd57278a6f932489b0abc780bfc44ef083968a4e850ccaa2017');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (14, 1795348800250000, 'admin', 'job 7', 'authority.intended', 'ca-2027', '{"algorithm":"ec-p256","common_name":"Test authority 2027","replaces":"ca"}', 'da3490d5e6674bd57278a6f932489b0abc780bfc44ef083968a4e850ccaa2017', 'f0b115f3fbfcaf2ae0b90153b9ec1a29f2a894946fce8a0c3c76e6118290f36a');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (15, 1795348800250000, 'admin', 'job 7', 'certificates.intended', 'ca', '{"serials":["9"]}', 'f0b115f3fbfcaf2ae0b90153b9ec1a29f2a894946fce8a0c3c76e6118290f36a', '185ecba8967ca6f6a277ed99e7a2e37a583890d9717660678e279f6e4a42256a');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (16, 1795348800250000, 'admin', 'job 7', 'access.disabled', 'alice', '{"why":"on leave until May"}', '185ecba8967ca6f6a277ed99e7a2e37a583890d9717660678e279f6e4a42256a', '3a707fc0303f6624a09c2965ac39432c364ada215765f5dca9246ccb87f8eae4');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (17, 1795348800250000, 'admin', 'job 7', 'access.disabled', 'bob@laptop', '{"why":""}', '3a707fc0303f6624a09c2965ac39432c364ada215765f5dca9246ccb87f8eae4', '850193525f90eaba02d1fff30cd12d6f8af3d64233e3c414413795a060dcd9a9');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (18, 1795348800250000, 'admin', 'job 7', 'access.enabled', 'bob@laptop', '{"why":"found again"}', '850193525f90eaba02d1fff30cd12d6f8af3d64233e3c414413795a060dcd9a9', 'a5ced8bbf0a3f65092263a3b672cc90c0bc8b1448ac7e25e185ff99f51fe34d8');
