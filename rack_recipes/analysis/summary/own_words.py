# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sentence of a language model says in words of its own: names, commands, and a verdict against that of the run.

Names are slots, so a name that stands beside them must be known from the facts. There is no list of all names: a name
is what is written like one, or stands where a name stands. A sentence that is struck in vain costs little.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from rack_recipes.analysis.summary.facts import Fact

WORD = re.compile(r"[A-Za-z][A-Za-z_']*")
ENDS_SENTENCE = re.compile(r"(?:^|[.!?:;]|\.\.\.)[\s\"'(]*$")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


THING = (
    r"(?:hosts?|racks?|lea(?:f|ves)|spines?|switch(?:es)?|servers?|nodes?|machines?|ports?|rows?|sites?|feeds?|pdus?|bmcs?"
    r"|routers?|devices?|links?|uplinks?|cables?|cards?|nics?|gpus?|disks?|steps?|recipes?|tests?|runs?|class|model|batch)"
)
VERB = (
    r"(?:is|are|was|were|has|have|had|does|do|did|can|cannot|may|might|must|should|will|would|failed|fails|fail|passed"
    r"|passes|looks?|seems?|shows?|needs?|differs?|stands?|remains?|keeps?|reports?|runs?|lost|lacks?|went|goes|causes?"
    r"|caused|blocks?|blocked|drops?|dropped|broke|breaks?|differ|share|hang|show|need|recover|stand|remain|keep|report"
    r"|lose|lack|go|cause|agree|pass|come|belong|depend|send|receive|answer|wait|see|tell|work|have)"
)
BEFORE_VERB = re.compile(
    rf"\b{THING} (?:called |named )?['\"]?([a-z]+)['\"]?"
    rf"(?: {VERB}\b| (?:and|or|in|on|at|behind|the)\b|$|[.,;!?])",
    re.IGNORECASE,
)
"""A word after a thing that stands where its name would: `host titan is`, `the switch atlas.`"""
POINTED_AT = re.compile(
    r"\b(?:contact|ask|tell|blame|called|named|fault of|culprit is|cause is|vendor) ['\"]?([a-z]+)['\"]?"
    r"(?: about\b| for\b| on\b| to\b|$|[.,;!?])",
    re.IGNORECASE,
)
"""A word that stands where somebody or something is named: `the culprit is zeus`."""
OWNER = re.compile(r"\b([A-Za-z]+)'s\b")
OWNERS = _words(
    "it that there here what who let he she today everything run test step recipe twin technician neighbour host "
    "hosts rack leaf spine switch server node machine port row site feed cable card disk link uplink device"
)
AT_START = re.compile(rf"(?:^|[.!?] )([A-Za-z][a-z]+) {VERB}\b")
"""The first word of a sentence as its subject: `Titan is broken`."""
NO_NAMES = _words(
    "a above across after again all alone along already also always an and any anymore are around as at away back be "
    "because been before behind below beside besides between beyond both but by can cannot cooling could did "
    "differently do does done down during each early either else elsewhere even ever every everything everywhere far "
    "first for from further get gets had has have here however if in inside instead into is it itself just last later "
    "least less longer may might more most much must near never next no none nor not nothing now of off often on once "
    "only or other others otherwise out outside over per perhaps pending power rather since should so some something "
    "soon still such than that the their them then there therefore these they this those though through throughout to "
    "together too toward twice under unless until up upon us very was well were what when where whether which while "
    "who whose why will with within without would yet you your cabling firmware counters temperature memory load "
    "airflow speed health state status side themselves failures results values errors problems measurement "
    "measurements figures settings test tests run runs analysis step steps speeds rates evidence time times order "
    "case cause causes group groups end ends part parts pair pairs level levels"
)
"""Words that may stand after a thing, or begin a sentence, and are no names."""
SUBJECTS = _words(
    "please we you they he she i that this these those there it everything something nothing none most many several "
    "few some others another each which what who all both either neither one power cooling cabling firmware latency "
    "bandwidth throughput traffic memory storage temperature noise evidence chance history performance speed "
    "everyone nobody somebody someone half work results result failures failure errors error hosts values "
    "measurements counters links cables ports machines servers racks nodes switches steps tests runs twins drift "
    "time analysis"
)
JUDGED = _words(
    "please known unknown clear unclear likely unlikely certain uncertain open found missing obvious simple"
)
VERB_LIKE = re.compile(r"(?:s|ed|ing|ly|n't)$")
KNOWN_CAPITALS = _words(
    "BMC BIOS NIC NICS MTU LLDP BGP CPU CPUS GPU GPUS DNS NTP SSH IP IPV VLAN VLANS LACP FEC CRC PSU PSUS PDU PDUS "
    "RAM ECC DIMM DIMMS SSD SSDS NVME RDMA PXE IPMI USB UEFI TLS HTTP ID OK LED ARP DHCP OS TPM PCI PCIE SMART RAID "
    "SNMP QSFP SFP I A English"
)
COMMANDS = (
    r"(?:rm|sudo|dd|mkfs|systemctl|service|chmod|chown|kill|killall|pkill|curl|wget|scp|ssh|ifconfig|ethtool|nft|iptables"
    r"|vtysh|ipmitool|racadm|apt|apt-get|dnf|yum|pip|npm|bash|sh|zsh|python|perl|docker|podman|kubectl|ansible|git|mount"
    r"|umount|fdisk|parted|nvme|smartctl|eval|exec|reboot|shutdown|poweroff|halt|init|crontab|passwd|useradd|modprobe"
    r"|sysctl|echo|cat|tee|sed|awk|tar|dmesg|journalctl|nc|netcat|lsof|mkdir|touch|truncate|wipefs|hdparm)"
)
RUN_WORD = r"(?:run|runs|execute|executes|type|enter|issue|invoke|call|launch|use)"
COMMAND = re.compile(
    rf"(?:^|\s)--?[A-Za-z]|\b{RUN_WORD} (?:the command )?['\"]?{COMMANDS}\b"
    r"|\b(?:rm|sudo|mkfs|systemctl|chmod|chown|killall|pkill|curl|wget|iptables|vtysh|ipmitool|racadm|wipefs|kubectl) "
    r"|[|&]|\$",
    re.IGNORECASE,
)
HARM = re.compile(
    r"(?<!not )(?<!never )(?<!n't )\b(?:reboot|restart|reset|reflash|reimage|wipe|erase|delete|remove|format|reformat"
    r"|reinstall|downgrade|disable|unplug|disconnect"
    r"|shut ?down|power[- ]?(?:off|down|cycle)|turn off|switch off|drain|evict|decommission|overwrite|flash|ignore|skip"
    r"|waive|approve|accept|rollback|roll back)(?:s|d|ed|ing)?\b",
    re.IGNORECASE,
)
"""What a technician does only because a fact advises it."""
LIMITED = re.compile(
    r"\b(?:other|others|else|elsewhere|outside|except|besides|beyond|apart|rest|remaining|before|earlier|previous|last"
    r"|again|that (?:passed|failed)|which (?:passed|failed)|until|unless|if|once|when|should|must|may|might|not all"
    r"|not every|some|both ends)\b",
    re.IGNORECASE,
)
"""What makes `all` and `nothing` speak of a part: of this no contradiction is known."""
OF_ALL = re.compile(
    r"\b(?:all(?! else)|every|each|everything|everyone|everybody|everywhere|always|never|none|nobody|nothing|nowhere"
    r"|only|entire|entirely|whole|wholly|fully|solely|any|anything)\b",
    re.IGNORECASE,
)
"""What speaks of all or of none. Where a result did not pass, only a fact can say so."""
FINE = (
    r"(?:fine|well|ok|okay|good|healthy|perfect|sound|clean|green|normal|nominal|flawless|ready|passed|passes|pass"
    r"|passing|succeeded|successful|succeeds|works?|working|worked|in order|up to spec|al(?:l )?right|great|stable"
    r"|done|go)"
)
WRONG = (
    r"(?:fail(?:s|ed|ing|ures?)?|problems?|errors?|faults?|faulty|wrong|broken|issues?|bad|suspect|anomal(?:y|ies)|defects?"
    r"|concerns?|trouble|worry|act)"
)
ALL_FINE = re.compile(
    r"\b(?:every|all|each|everything|everyone|any|the (?:run|rack|hall|test|fabric|system|cluster|fleet|hosts?))\b"
    rf"[^.;]*\b{FINE}\b|\bsuccess\b[^.;]*\b(?:all(?! else)|every|each)\b"
    rf"|\b(?:no|nothing|none|never|without|nobody|zero)\b[^.;]*\b{WRONG}\b",
    re.IGNORECASE,
)
SOME_WRONG = re.compile(
    r"\b(?:failed|fails|failing|broken|faulty|down|dead|defective|failures?|unreachable|did not pass|does not pass)\b",
    re.IGNORECASE,
)
DENIED = re.compile(
    r"\b(?:no|not|nothing|none|never|without|neither|nobody|isn't|aren't|if|would|could|may|might)\b|\{", re.IGNORECASE
)
NOT_FINE = re.compile(
    rf"\b(?:not|never|n't|hardly|far from|cannot|without|no longer)\b[^.;,]*\b{FINE}\b|n't\b", re.IGNORECASE
)


NAMED_AT: Mapping[re.Pattern[str], Collection[str]] = {
    AT_START: SUBJECTS | NO_NAMES,
    OWNER: OWNERS,
    POINTED_AT: SUBJECTS | NO_NAMES | JUDGED,
}
"""Where a word is a name, unless it is one of these."""


def own_words_problem(text: str, cited: Sequence[Fact], run: Fact) -> str:
    """Why a sentence with slots is struck for its own words; empty where it may stay.

    `cited` are the facts that it names, `run` is the fact about the run.
    """
    said = {word.lower() for fact in (run, *cited) for word in _said(fact)}
    own = re.sub(r"\{[^}]*\}", "{}", text)
    if COMMAND.search(own):
        return "has a command"
    if any(word.lower() not in said for found in HARM.finditer(own) for word in [re.split(r"[ -]", found[0])[0]]):
        return "advises what no fact advises"
    if any(name.lower() not in said for name in _names(own)):
        return "has a name that no cited fact has"
    if _contradicts(own, run):
        return "contradicts the verdict of the run"
    is_bad = run.slots["not_passed"].value and any(word.lower() not in said for word in OF_ALL.findall(own))
    return "says of all what no cited fact says" if is_bad else ""


def _said(fact: Fact) -> Iterator[str]:
    """The words of a fact: what it says and advises, its slots, and the steps and measurements that it rests on."""
    texts = [fact.says, fact.advice, *(slot.text for slot in fact.slots.values())]
    texts += [part for result in fact.results for part in (result.step, result.name)]
    for text in texts:
        for word in WORD.findall(text):
            yield word
            yield from word.split("_")


def _names(own: str) -> Iterator[str]:
    """The words that are written like names, or stand where names stand."""
    for found in WORD.finditer(own):
        word = found[0].removesuffix("'s").strip("'_")
        if _is_written_like_a_name(word, own[: found.start()]) and word.upper() not in KNOWN_CAPITALS:
            yield word
    for place, others in NAMED_AT.items():
        yield from (found[1] for found in place.finditer(own) if found[1].lower() not in others)
    for found in BEFORE_VERB.finditer(own):
        if found[1].lower() not in NO_NAMES and not _is_verb(found):
            yield found[1]


def _is_written_like_a_name(word: str, before: str) -> bool:
    if "_" in word or (len(word) > 1 and not word[1:].islower()):
        return True
    return word[:1].isupper() and not ENDS_SENTENCE.search(before)


def _is_verb(found: re.Match[str]) -> bool:
    """Whether a word after a thing is what it does: `hosts differ in`; before another verb it is a name."""
    after = found[0][found.end(1) - found.start() :].strip()
    return bool(re.fullmatch(VERB, found[1], re.IGNORECASE) or VERB_LIKE.search(found[1])) and not re.fullmatch(
        VERB, after
    )


def _contradicts(own: str, run: Fact) -> bool:
    bad = run.slots["not_passed"].value
    clauses: Collection[str] = re.split(r"[.;!?]", own)
    if bad:
        return any(ALL_FINE.search(one) and not LIMITED.search(one) and not NOT_FINE.search(one) for one in clauses)
    return any(SOME_WRONG.search(one) and not DENIED.search(one) and not LIMITED.search(one) for one in clauses)
