"""Online matching, and offline matching by the same rules.

    files -> feeds -> kafka -> events -> worker -> kafka -> your consumer (events.match_state)
                                           |
                     encode, upsert, search, match, publish
                                           |
                                 matching   index

    files -> feeds -> offline -> files     without broker or index server

feeds       files -> events
kafka       topics, to and from
events      bytes <-> events, pure
index       where vectors are stored and searched
matching    who fits whom, pure
worker      one process: a batch of events -> its effects
offline     two lists of entities -> their matches
rollout     another model beside the live one
monitor     counts, metrics, health, logs
diagnose    an operator's questions
embedded    broker, index and Redis on this machine
cli         the command line, one file a command group
"""
