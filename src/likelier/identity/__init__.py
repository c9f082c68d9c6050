"""Who is who: ids that stand in one row belong to one person, as far as that was known at a moment.

links     which ids were seen together, and since when (:mod:`.links`)
cuts      links that somebody declared wrong (:mod:`.cuts`)
persons   the connected ids of each cut-off, as the rows of a run are gathered by (:mod:`.persons`)
graph     the links around one id, to be looked at (:mod:`.graph`)
"""
