"""What a broker has been made to be: accounts, topics, subscriptions and the like, as one document (operations §1.15).

Each section is a class of its own, which reads what there is and says what an import would change
(:mod:`broker.admin.definitions.section`); :mod:`broker.admin.definitions.whole` has them in their order.
"""
