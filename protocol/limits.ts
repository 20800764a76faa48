/**
 * Every bound of Otto, with its unit in the name. A limit that is not here does not exist.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

export const limits = {
  /** A pipeline file as written by a person. */
  pipelineFileBytesMax: 1 * MiB,
  /** What happened, as a file says it. */
  eventBytesMax: 1 * MiB,
  /** What is read of a file that the conventions look into; the rest of a longer one does not count. */
  signalFileBytesMax: 1 * MiB,
  /** Projects in subfolders that are planned where the root shows none. */
  nestedProjectsMax: 20,
  /** Files whose text the conventions may ask for: those of the root, of subfolders and of workspaces' packages. */
  signalFilesMax: 500,
  pipelineNestingMax: 32,
  /** Pipelines inside of pipelines. */
  pipelinesNestedMax: 5,
  /** Templates and step libraries of one plan, each counted once. */
  importsPerPlanMax: 200,
  /** The folder of one step library. */
  libraryFilesMax: 2_000,
  libraryBytesMax: 16 * MiB,
  /** How long fetching a template or a step library may take. */
  useFetchMsMax: 120_000,
  /** Values in a pipeline file, each alias counted as everything that it stands for. */
  pipelineNodesMax: 500_000,
  /** Words and signs, spaces included, of a file that is not plain; a plain one is bounded by its bytes. */
  pipelineTokensMax: 150_000,
  diagnosticsMax: 200,
  stepsPerPlanMax: 10_000,
  /** Edges of the graph, the needs of all steps together. */
  needsPerPlanMax: 100_000,
  matrixCellsPerStepMax: 256,
  /** Axes of one matrix, and keys of one cell that it includes or excludes: a name has no room for more. */
  matrixAxesPerStepMax: 100,
  commandsPerStepMax: 200,
  outputsPerStepMax: 40,
  nameCharactersMax: 100,
  /** Why a worker refuses a step: more of it is not kept. */
  refusalCharactersMax: 200,
  /** The name of a matrix cell with all its values: `test (os=linux, ruby=3.4)`. */
  cellNameCharactersMax: 500,
  /** Entries of one list or map of a step: variables, inputs, outputs, labels. */
  entriesPerStepMax: 200,
  conditionCharactersMax: 2_000,
  /** What the braces of one pattern come to: `{a,b}/{c,d}` are four. */
  patternAlternativesMax: 1_000,
  /** Paths that differ from a base; of more, what changed is not known. */
  changedPathsMax: 100_000,
  manifestBytesMax: 4 * MiB,
  /** A plan in a manifest: what the signatures, the certificate and the source leave of it. */
  planBytesMax: 4 * MiB - 64 * KiB,
  timeoutMsDefault: 60 * 60_000,
  timeoutMsMax: 7 * 24 * 60 * 60_000,
  approvalMsDefault: 7 * 24 * 60 * 60_000,
  waitMsDefault: 60 * 60_000,
  pollEveryMsDefault: 10_000,
  pollEveryMsMax: 60 * 60_000,
  pollBodyBytesMax: 64 * KiB,
  /** Callbacks of one wait that settle nothing and are written down; further ones only hasten its poll. */
  inconclusiveNotedMax: 20,
  /** How long one condition over an answer may take: the peer that evaluates it does nothing else meanwhile. */
  pollJudgedMsMax: 200,
  /** Schedules of one standing order, and the length of one. */
  schedulesPerOrderMax: 20,
  cronCharactersMax: 200,
  /** Missed slots are counted so far; beyond it, that there were more. */
  missedSlotsCountedMax: 1_000,
  attemptsMax: 10,
  /** Attempts at a step that end before it begins, since what it runs in cannot be had. */
  unpreparedAttemptsMax: 3,
  /** Attempts that a step without outside effect gets when its workers are lost. */
  lostAttemptsMaxDefault: 3,

  /** One frame on a stream between peers or on the local socket. */
  frameBytesMax: 5 * MiB,
  gossipBytesMax: 64 * KiB,
  /** Announcements that leave together. */
  announcementsGatheredMax: 400,
  /** How long what is said waits for more that leaves with it. */
  announcementsGatherMs: 1_000,
  /** One message of the gossip protocol, which may carry several gossiped pieces. */
  gossipRpcBytesMax: 4 * MiB,
  /** What waits to be gossiped to one peer; more is dropped, and learnt by anti-entropy. */
  gossipQueueBytesMax: 8 * MiB,
  /** Certificates of announcers that were found to hold and need not be opened again. */
  certificatesRememberedMax: 4_096,
  valueNestingMax: 64,
  /** What a link begins with: a certificate and a charter. */
  helloBytesMax: 64 * KiB,
  /** Records and bytes in one round between control peers. */
  batchRecordsMax: 2_000,
  batchBytesMax: 256 * KiB,
  /** One entry of a log, which must fit into a frame. */
  entryBytesMax: 1024 * KiB,
  /** Rounds that may be in flight before proposals gather, and when a full round of them waits. */
  roundsInFlightMin: 1,
  roundsInFlightMax: 4,
  /** How much later than a majority the other control peers are sent a round. */
  askLaterMs: 10,
  /** Each so many-th round is sent to all at once: whoever answers first then is asked first from there on. */
  askAllEvery: 100,
  /** Registers that a voter may have from rounds that were not chosen as far as it knows; with more it asks for all. */
  repairNamesMax: 8_000,
  /** What a home sends to voters that are behind, between two ticks: its claims come first. */
  repairBytesPerTickMax: 1 * MiB,
  pullSlotsMax: 256,
  leasesPerMessageMax: 2_000,
  parkedPullsMax: 10_000,
  /** Sessions of one peer: of more, the oldest is forgotten. A worker has one. */
  sessionsPerPeerMax: 1_000,
  /** What a worker may ask of a control peer, in what the plainest message costs. */
  workPerSecondMax: 20_000,
  /** Bundles that one peer has announced and that are being fetched; it announces the others again. */
  announcedPerPeerMax: 1_000,
  queuedStepsMax: 100_000,
  /** Sets of required labels, and sets of labels that workers have, that are remembered while nothing waits under them. */
  shelvesKeptMax: 1_000,
  capabilitySetsKeptMax: 1_000,
  /** Steps of higher priorities that are given out in a row while one of a lower priority waits for the same workers. */
  passedOverMax: 15,
  /** Of so many runs at least a pull is given steps, where so many wait and it has as many slots. */
  runsInPull: 4,
  /** How long a step waits for a worker that has its caches at hand, while others could have it. */
  warmWaitMs: 500,
  /** What a worker says that it has at hand. */
  warmCachesMax: 32,
  warmTreesMax: 16,
  openRunsMax: 10_000,
  /** Runs that are not closed and that a control peer keeps, with their plans; and that a worker has announced and nobody took. */
  submissionsKeptMax: 20_000,
  submissionsBytesMax: 256 * MiB,
  submissionsPendingMax: 1_000,
  /** The report of one attempt as it is signed by its worker and kept in the register table. */
  reportBytesMax: 16 * KiB,
  reportTailBytesMax: 4 * KiB,
  /** All values that one step says, encoded: with 41 outputs they leave room for how it ended. */
  valuesBytesMax: 4 * KiB,
  valueBytesMax: 2 * KiB,
  /** The file that a step says values in. */
  saidBytesMax: 64 * KiB,
  /** Values that are told in one grant; more are told in several. */
  grantedValuesBytesMax: 1 * MiB,
  failedTestsNamedMax: 20,
  testNameCharactersMax: 200,
  testReportBytesMax: 16 * MiB,
  testReportFilesMax: 1_000,
  testReportNestingMax: 100,

  leaseMsDefault: 30_000,
  /** Clock drift that two machines may have: rho, in parts per hundred. */
  driftPercentMax: 1,
  leaseGraceMs: 1_000,
  /** A lease is renewed this many times before it could run out. */
  renewalsPerLease: 5,
  pullJitterMsMax: 500,
  /** A free slot is asked for with the result that left it, should that be ready so soon, or in a part of what steps take. */
  pullWithResultMs: 25,
  pullWithResultPart: 0.05,
  /** Steps shorter than this on average are asked for ahead, at most so many. */
  prefetchMs: 50,
  prefetchStepsMax: 64,
  /** Results of such steps are told together: so many, or after this long. */
  resultsGatheredMax: 16,
  resultsGatherMs: 20,
  bundlesKeptMax: 64,
  /** Plans of closed runs that are asked for at once by a control peer that came later. */
  backlogFetchesMax: 16,
  backlogTriesMax: 100,
  /**
   * Leases of lately: a result that a home accepted is a duplicate when it comes again, and not a late one; a step that a
   * worker began is not begun again.
   */
  leasesRememberedMax: 10_000,
  leasesRememberedMs: 10 * 60_000,
  /** How often a core looks at what time brings: while it has something to watch, and while it has nothing. */
  tickMs: 100,
  idleTickMs: 1_000,
  /** What nobody waits for is stored with the next that somebody waits for, or alone after this. */
  storeSoonMs: 10,
  /** That attempts have begun is gathered for so long, and at most so many of them, before it is written at once. */
  notesHeldMs: 100,
  notesHeldMax: 4_000,
  suspendMsMax: 1_000,
  heartbeatMs: 250,
  homeSilenceMsMax: 1_500,
  /** A home renews leases only so long after a majority answered it; less than `leaseGraceMs`. */
  homeAssuredMs: 750,
  /** How much longer each further control peer of the charter waits before it stands for home. */
  standDelayMs: 100,
  antiEntropyMs: 30_000,
  /** A control peer that did not say that it holds the home's log is asked again after this. */
  confirmAgainMs: 1_000,
  /** Logs and outputs of others that a control peer has still to bring, how soon it asks again, and how often. */
  replicatedWaitingMax: 100_000,
  replicateAgainMs: 60_000,
  replicateTriesMax: 30,
  /** Logs that are told one by one; of more, hashes are compared first. */
  logsListedMax: 8,
  /** Parts of the logs in which two peers differ and that are looked into at once. */
  partsFollowedMax: 4,
  /** Entries in the answer to one list of logs; there may be more, and they are asked for again. */
  entriesPerAnswerMax: 500,
  entriesAnswerBytesMax: 4 * MiB,
  /** Logs of one author that are known to fork; then nothing more of that author's is taken. */
  forksPerAuthorMax: 16,
  /** A bundle or a source that nobody had is asked for again after this. */
  fetchAgainMs: 2_000,
  /** What was submitted here and is not admitted is announced again after this. */
  announceAgainMs: 5_000,
  dialBackoffMsMin: 100,
  dialBackoffMsMax: 5_000,
  /** Peers that lost a link in the same moment dial again within this, each in its own. */
  dialSpreadMs: 500,
  dialsInFlightMax: 16,
  /** How long one address of a peer is tried before the next one is. */
  dialAddressMsMax: 10_000,
  /** A link that was up for this long makes the next back-off begin anew. */
  linkStableMs: 5_000,
  addressesPerPeerMax: 8,
  addressCharactersMax: 256,
  addressBookPeersMax: 1_000,
  /** Peers whose addresses are told in one message. */
  addressedPeersMax: 16,
  linkQueueBytesMax: 64 * MiB,
  /** What may be under way on one stream before its reader has read: less than a reader keeps that is paused. */
  streamWindowBytesMax: 2 * MiB,
  /** What is kept of a stream that its reader has not taken yet, before the sender is made to wait. */
  streamUnreadBytesMax: 1 * MiB,
  /** What one peer may say on a link; who says more is read more slowly. */
  messagesPerSecondMax: 10_000,
  messageBytesPerSecondMax: 64 * MiB,
  requestMsMax: 10_000,
  /** How long a connection may take to close after its last call. */
  hangUpMsMax: 2_000,
  /** How long a caller waits for the domain to decide what it asked. */
  questionMsMax: 5_000,
  /** For how long after it was submitted a run may be admitted, and for how long at most, with clocks that differ. */
  submissionMsDefault: 24 * 60 * 60_000,
  submissionMsMax: 25 * 60 * 60_000,
  /** For how long the run of a slot is remembered at least, from its firing on: who fired it admits it in any case. */
  slotMs: 60_000,
  /** How often a home looks for runs that may be forgotten, and of how many that others closed it tells again then. */
  retireEveryMs: 10_000,
  retoldAtOnceMax: 100,
  /** How long a caller waits for the first word of the node that it asked. */
  answerMsMax: 15_000,
  /** A peer that neither sends nor takes anything for this long in the middle of a transfer is given up. */
  transferSilenceMsMax: 10_000,
  callsPerPeerMax: 512,
  digestsPerCallMax: 10_000,
  /** Runs in one list: those that are not over come first, the newest of them. */
  runsListedMax: 100,
  /** Events that are folded into what is shown of runs until others go on; those of one run are not parted. */
  eventsFoldedAtOnceMax: 1_000,
  /** Runs among which a plan is looked for, the newest first. */
  runsSearchedMax: 1_000,
  /** One line each of runs that are over, in memory; those of older ones are on the disk alone. */
  summariesInMemoryMax: 1_000,
  /** An exported run: as it is collected by a node, and as it is read to be verified. */
  exportBytesMax: 256 * MiB,
  /** Files of an output that its provenance names one by one, and the bytes of it; beyond them it names their tree alone. */
  provenanceFilesMax: 10_000,
  provenanceBytesMax: 2 * MiB,
  /** Deviations that are told of one run. */
  findingsMax: 1_000,
  /** Positions in logs that a watcher names when it asks again. */
  offsetsPerWatchMax: 2_000,
  runsInMemoryMax: 50,
  unknownRunWaitMs: 3_000,
  watchRetriesMax: 50,
  /** A policy as its owner writes it, one text in it, and entries of one list. */
  policyBytesMax: 48 * KiB,
  policyWordsMax: 500,
  policyEntriesMax: 100,
  /** One signed document of a domain (`documents.ts`), and how many it keeps. */
  documentBytesMax: 64 * KiB,
  documentsMax: 10_000,
  /** Of these: places that only the owner's documents and revocations take. */
  documentsKeptFree: 1_000,
  /** Revocations that are told in one message. */
  revocationsPerMessageMax: 16,
  /** What a majority of the control peers signed. */
  quorumBytesMax: 64 * KiB,
  /** How long a permit is good; how often a gate is looked at again; and when its control peers are asked again. */
  permitMs: 10 * 60_000,
  gateEveryMs: 1_000,
  endorseAgainMs: 5_000,
  /** A worker gives a guarded step back whose permit does not hold for so long: it may not have heard of the newest policy. */
  permitAwaitedMs: 5_000,
  /** How long a step that was released to another domain may take there, its gates included. */
  releasedMsMax: 7 * 24 * 60 * 60_000,
  /** How often another domain is asked how a released step is. */
  releaseEveryMs: 2_000,
  /** How long an external verdict holds, and how often it is asked for. */
  verdictMs: 60_000,
  verdictEveryMs: 10_000,
  /** How far the clock of whoever signs a document or an approval may be from that of who takes it. */
  signedApartMsMax: 10 * 60_000,
  /** Addresses of one peer. */
  addressesMax: 16,
  /** A table that is handed over or repaired in pages, as it is gathered by its receiver. */
  installBytesMax: 512 * MiB,
  /** How far tokens are raised in a domain that is restored: above all that can have been granted since its backup. */
  restoredTokenGap: 1_000_000_000,
  /** Control peers of one domain. */
  controlPeersMax: 7,
  connectionsMax: 2_000,
  /** A person's commands each have a connection of their own. */
  connectionsPerPeerMax: 64,
  /** Connections whose peers have not shown a certificate: so many at once, and each for so long unless it asks something. */
  strangersMax: 500,
  helloMsMax: 30_000,
  /** How long a link may have only one of its two halves. */
  linkMsMax: 30_000,
  messageStreamsPerConnectionMax: 4,
  /** Refused words of one peer until it is denied for a while. */
  refusalsMax: 32,
  denialMs: 60_000,
  strangersRememberedMax: 10_000,
  inboundConnectionsPerSecondMax: 500,
  /** Connections that are being set up at once: more are turned away before they cost anything, and come again. */
  inboundConnectionsPendingMax: 64,
  drainMsMax: 10_000,

  /** Output of one attempt; what comes after is counted and dropped, and the log says so. */
  logBytesMax: 64 * MiB,
  logChunkBytesMax: 64 * KiB,
  /** A step that is over sooner has its output told with its report alone. */
  outputAfterMs: 150,
  /** What of a running step's output is on its way to a control peer and not known to be kept. */
  outputChunkBytesMax: 256 * KiB,
  /** How long it is sent on before a control peer is asked what it keeps, and when it is sent again unanswered. */
  outputAskMs: 1_000,
  outputAgainMs: 5_000,
  /** Shorter pieces are gathered for so long. */
  outputGatherMs: 50,
  /** Output that a control peer keeps of attempts that run or whose worker was lost. */
  outputsBytesMax: 2 * 1024 * MiB,
  /** Attempts whose output is hashed on; of one more all that is kept is read again. */
  outputsOpenMax: 2_000,
  killGraceMs: 5_000,
  /** What each of the memory-backed folders of a sandbox holds, such as /tmp. */
  sandboxTemporaryBytesMax: 1024 * MiB,
  /** Processes and threads of one step at once. */
  stepTasksMax: 4_096,
  /** Of one process of a step, and of all of them together. */
  stepOpenFilesMax: 65_536,
  /** What a step may take of the worker's memory, and of what was free on its disk when the step began. */
  stepMemoryPercentMax: 80,
  stepDiskPercentMax: 90,
  /** How often it is looked at what a step takes. */
  stepLookMs: 250,
  /** How long a worker's attack on one of its own sandboxes may take. */
  sandboxProbeMsMax: 20_000,
  /** What a registry says of an image, one document of it, and one text in it. */
  imageDocumentBytesMax: 4 * MiB,
  imageTextCharactersMax: 4_000,
  imageManifestsMax: 1_000,
  imageLayersMax: 200,
  imageVariablesMax: 500,
  imageVariableCharactersMax: 64 * KiB,
  /** One image as it comes, and unpacked; and all images of a worker: of these the one that was used least lately goes first. */
  imageBytesMax: 16 * 1024 * MiB,
  imageUnpackedBytesMax: 32 * 1024 * MiB,
  imagesBytesMax: 40 * 1024 * MiB,
  /** Of what their disk has free, and of what they have of it themselves. */
  imagesDiskPercentMax: 50,
  /** Files, folders and links of one image; folders inside of folders; and links on the way to one file. */
  imageFilesMax: 1_000_000,
  imagePathBytesMax: 4_000,
  imagePathPartsMax: 100,
  imageLinksFollowedMax: 40,
  /** An image's list of users, and what lies in the folders of it on the way to where a step's own are mounted. */
  imageUsersBytesMax: 256 * KiB,
  imageEntriesShownMax: 2_000,
  /** Images that are brought at once, and layers of each. */
  imagesBroughtAtOnceMax: 4,
  imageLayersAtOnceMax: 3,
  imageRedirectsMax: 5,
  /** How long bringing one may take; for how long its registry, and the process that brings it, may be silent. */
  imageBringMsMax: 60 * 60_000,
  imageIdleMsMax: 30_000,
  imageSilenceMsMax: 10 * 60_000,
  /** How often in a row a registry is asked that does not answer, how long after the first time, and how long after any at most. */
  imageTriesMax: 5,
  imageTryAgainMsMin: 500,
  imageTryAgainMsMax: 10_000,
  /** A registry that asks for more time than this is not waited for; whoever sends at least so much before it fails gets on. */
  imageRetryAfterMsMax: 120_000,
  imageProgressBytesMin: 1 * MiB,
  /** One line of that process. */
  imageLineBytesMax: 64 * KiB,
  sourceBytesMax: 4 * 1024 * MiB,
  sourceFilesMax: 200_000,
  /** An encoded tree, as it is read into memory. */
  treeBytesMax: 128 * MiB,
  linkTargetBytesMax: 4 * KiB,
  blobChunkBytes: 256 * KiB,
  /** One cache, and all caches of a worker: of these the one that was used least lately goes first. */
  cacheBytesMax: 5 * 1024 * MiB,
  cachesBytesMax: 20 * 1024 * MiB,
  cachesKeptMax: 1_000,
  /** Files in a cache's key that are remembered one by one, to say which of them changed. */
  cacheKeyFilesNamedMax: 1_000,

  /** The value; shorter ones would be found by trying, and would blank out half of an answer. */
  secretBytesMin: 8,
  secretBytesMax: 16 * KiB,
  /** Of one step together: what looks for them in all forms takes about 2 KiB a byte. */
  maskedBytesMax: 40 * KiB,
  /** Destinations of a secret, and entries of each of their lists. */
  secretEntriesMax: 20,
  secretRecipientsMax: 16,
  secretAuthorityCharactersMax: 16 * KiB,
  credentialTextCharactersMax: 2_000,
  /** The path of a brokered request; its query may be as long. */
  credentialPathCharactersMax: 4_000,
  /** What a push says that it changes. */
  pushCommandsBytesMax: 64 * KiB,
  /** Tokens of one registry that are kept for one attempt. */
  registryTokensMax: 100,
  brokerHeadersMax: 100,
  brokerHeadBytesMax: 32 * KiB,
  /** Connections of one attempt by one credential, on either side of the broker; and of one worker by all. */
  brokerConnectionsMax: 256,
  /** Of the path of a socket: an address of one has room for a hundred and a little more, by the system. */
  socketPathBytesMax: 100,
  brokerStreamsPerPeerMax: 1_024,
  /** What an SSH client asks its agent, as OpenSSH's own bounds it nearly; and the pinned keys of the host that it is told. */
  agentFrameBytesMax: 64 * KiB,
  brokerAnswerBytesMax: 64 * KiB,
  /** How long a token of the domain is good; and how long others may go by the list of its keys that they have. */
  tokenMs: 5 * 60_000,
  issuerKeysCachedMs: 60 * 60_000,
  issuerKeysMax: 10,
  /** A connection on which nothing is asked is closed after this. */
  brokerIdleMsMax: 60_000,
  /** The book of uses begins anew beyond this, and keeps the one before; lines are written so often, and shown so many. */
  auditBytesMax: 64 * MiB,
  auditGatherMs: 200,
  auditLinesShownMax: 1_000,

  minuteMs: 60_000,
  inviteMsDefault: 15 * 60_000,
  inviteMsMax: 7 * 24 * 60 * 60_000,
  /** What the code of an invite says: who may be asked, and the certificate of whoever invites. */
  inviteBytesMax: 32 * KiB,
  dayMs: 24 * 60 * 60_000,
  /** People who own a domain together; and what their signature is, beside the bytes that they signed. */
  ownersMax: 16,
  ownersSignatureBytesMax: 8 * KiB,
  /** Within this time all of them that it takes sign what one of them has begun: what they decide counts from its end on. */
  ownersSignMsMax: 24 * 60 * 60_000,
  /** How long a certificate is good: a worker's, and one of a control peer or a person. */
  workerCertificateMs: 7 * 24 * 60 * 60_000,
  certificateMs: 30 * 24 * 60 * 60_000,
  /** How often a node looks whether its certificate is to be renewed, and when it asks again that had no answer. */
  renewLookMs: 60 * 60_000,
  renewAgainMs: 60_000,
  idleMeshMs: 10 * 60_000,

  /** A line of a step's output on a terminal or in a pipe; a longer one is broken. */
  shownLineCharactersMax: 16 * KiB,
  /** Last lines of a failing command, and failing steps that are shown with theirs, at the end of a run. */
  shownTailLinesMax: 20,
  shownFailuresMax: 5,
  /** Steps that are listed one by one when a run is over; of a larger run only those that need a look. */
  shownFinalStepsMax: 40,
  redrawMsMin: 100,
} as const;
